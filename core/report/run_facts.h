#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/calibration/run_directory.h"

namespace calibench {

struct TensorRange {
    double min = 0, max = 0;
};

/// What became of one module in a run; what the run did not measure is unset.
struct ModuleOutcome {
    int64_t block = -1, expert = -1;
    std::string scheme;                                    ///< "W4 g64 sym"; empty: not quantized, or not yet
    std::optional<double> weight_sqnr_db, output_sqnr_db, local_sqnr_db, inherited_sqnr_db;
    std::optional<TensorRange> weight_range, input_range;
    std::optional<int64_t> tokens;
};

struct BlockFacts {
    std::string name;                                      ///< "model.layers.3"
    double initial_loss_mse = 0, best_loss_mse = 0;        ///< 0 where nothing was tuned
    int64_t best_iteration = 0;
    double seconds = 0;
    bool finished = false;
    std::vector<double> loss_mse;                          ///< by iteration, of the attempt that was kept; of blocks tuned together the first one's
};

/// A run in figures, as lists, comparisons and reports show it: what read_run() tells, added up.
struct RunFacts {
    std::filesystem::path run_dir;
    RunConfig config;
    int64_t began = 0;                                     ///< seconds since 1970
    StoredRun::Ending ending = StoredRun::Ending::Interrupted;
    RunStarted started;                                    ///< of its last part, where it was stopped and went on
    std::string effort;                                    ///< "exact" or "quick"; empty: nothing is tuned
    std::string failure;                                   ///< RunFailed's sentence
    bool at_work = false;                                  ///< a process is carrying it on right now
    int64_t blocks_done = 0;
    double seconds = 0;                                    ///< of all its parts together
    std::filesystem::path output_dir;                      ///< that the export was written to; empty without one
    int64_t output_bytes = 0;                              ///< 0 without an export
    double mean_initial_loss_mse = 0, mean_best_loss_mse = 0;  ///< over the tuned blocks; 0 where nothing was tuned
    std::map<int64_t, BlockFacts> blocks;
    std::vector<std::pair<std::string, ModuleOutcome>> modules;  ///< in model order
    std::string schemes;                                   ///< "W4 g64 sym", or with how many modules each has: "W4 g64 sym (26), W8 channel sym (2)"
    std::vector<Warning> warnings;                         ///< each one once
};

/// Throws as read_run() does.
[[nodiscard]] RunFacts facts_of_run(const std::filesystem::path& run_dir);

}  // namespace calibench
