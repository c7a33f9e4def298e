#pragma once

#include <string>
#include <utility>
#include <vector>

#include "core/report/run_report.h"

namespace calibench {

using Lines = std::vector<std::pair<std::string, std::string>>;  ///< name and value

[[nodiscard]] std::string title_of(const ReportedRun& run);     ///< its own, or that of its model and directory
[[nodiscard]] std::string ending_of(const RunFacts& run);       ///< "Finished", "Failed after 3 of 30 blocks: the disk is full."
/// The same names for every run, in the same order; a value that a run does not have is empty.
[[nodiscard]] Lines settings_of(const RunFacts& run);
[[nodiscard]] Lines results_of(const ReportedRun& run);

}  // namespace calibench
