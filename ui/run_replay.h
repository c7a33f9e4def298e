#pragma once

#include <optional>
#include <vector>

#include "core/calibration/run_directory.h"
#include "core/models/model_summary.h"
#include "ui/run_record.h"

namespace calibench {

/// An earlier run as the window knows it. Journals are long: it is made of one on any thread, and only shown on the window's.
struct RunReplay {
    RunConfig config;
    StoredRun::Ending ending = StoredRun::Ending::Interrupted;
    std::optional<RunSummary> summary;
    RunRecord record;                    ///< after all of the snapshots
    std::vector<RunSnapshot> snapshots;  ///< one for each time the run began or went on
};

[[nodiscard]] RunReplay replay(const StoredRun& run, const ModelSummary& model);

}  // namespace calibench
