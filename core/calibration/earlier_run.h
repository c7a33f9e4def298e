#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "core/calibration/block_store.h"
#include "core/calibration/run_directory.h"
#include "core/calibration/run_plan.h"

namespace calibench {

/// Another run on the same model and samples, whose first blocks need not be done again: those that come before the first change.
class EarlierRun {
public:
    /// Throws InputError when there is no run, or when its model or dataset has changed since.
    explicit EarlierRun(const std::filesystem::path& run_dir);

    /// How many blocks a run by `plan` would make just as this one made them, from the first on, as far as their tensors are still
    /// there: in the run directory, or in the export of a finished run.
    struct Agreement {
        int64_t num_blocks = 0;
        std::string end;  ///< why there are no more: "model.layers.12: another scheme for q_proj"; empty when all agree
    };
    [[nodiscard]] Agreement agreement_with(const RunPlan& plan) const;

    [[nodiscard]] FinishedBlock block(int64_t index, const RunPlan& plan) const;
    /// What was told of it, BlockFinished last.
    [[nodiscard]] std::vector<RunEvent> events_of(int64_t index) const;
    [[nodiscard]] const std::filesystem::path& directory() const { return stored_.config.run_dir; }

private:
    [[nodiscard]] std::string difference_of_runs(const RunPlan& plan, const RunPlan& before) const;
    [[nodiscard]] std::string difference_of_block(int64_t index, const RunPlan& plan, const RunPlan& before) const;

    StoredRun stored_;
    std::unique_ptr<Checkpoint> export_;  ///< null when it is not there, or not what this run wrote
};

}  // namespace calibench
