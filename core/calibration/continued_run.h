#pragma once

#include <memory>
#include <vector>

#include "core/calibration/run_directory.h"
#include "core/calibration/run_plan.h"

namespace calibench {

/// A stopped run on its way again.
struct ContinuedRun {
    std::unique_ptr<RunDirectory> directory;
    RunConfig config;                    ///< what the run was begun with; device, threads and output as asked for now
    std::vector<BlockFinished> outcomes; ///< of the blocks it finished, from the first on
};

/// Throws InputError when `requested` would give other results than the run was begun for, naming what differs, or when the run
/// cannot go on (RunDirectory::reopen).
[[nodiscard]] ContinuedRun continue_run(const RunConfig& requested);

/// Makes `plan` begin behind the finished blocks, as far as they are what it would make of them.
void take_over(RunPlan& plan, const std::vector<BlockFinished>& outcomes);

}  // namespace calibench
