#pragma once

#include <string>
#include <vector>

#include "core/report/run_report.h"

namespace calibench {

/// "A", "B", ... "Z", "27", ...: what runs are called in tables and plots of several.
[[nodiscard]] std::vector<std::string> short_names(size_t count);

/// Appends what sets the runs apart: settings and results side by side, their recipes, losses and modules against those of the first.
void write_comparison(const std::vector<ReportedRun>& runs, std::vector<ReportSection>& sections);

}  // namespace calibench
