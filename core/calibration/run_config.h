#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace calibench {

/// Everything a run depends on. Plain values: copied into the worker, written into the run directory.
struct RunConfig {
    std::filesystem::path model_dir;
    std::filesystem::path dataset;           ///< empty: weights are rounded to nearest without looking at any text
    std::string recipe_yaml;                 ///< text, not a path: the editor's unsaved recipe runs too
    std::filesystem::path output_dir;        ///< empty: calibrate without export
    std::filesystem::path run_dir;           ///< empty: no run directory is kept
    int64_t num_samples = 128;
    int64_t seq_len = 512;
    std::optional<int64_t> batch_size;       ///< overrides the recipe's
    std::optional<int64_t> iters;            ///< overrides the recipe's
    std::string effort;                      ///< exact | quick, overrides the recipe's; empty: it does not
    uint64_t seed = 42;
    std::string device = "auto";             ///< auto | cpu | cuda | cuda:N
    std::string dtype = "auto";              ///< auto | float32 | bfloat16
    int threads = 0;                         ///< 0: all cores
    int64_t max_memory = 0;                  ///< bytes of cached activations; what is beyond lies in files. 0: no limit
    std::filesystem::path reuse;             ///< directory of a run whose blocks before the first change are taken over; empty: none
    bool resume = false;                     ///< go on behind the last finished block of the run in run_dir

    bool operator==(const RunConfig&) const = default;
};

}  // namespace calibench
