#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/report/report.h"
#include "core/report/run_facts.h"
#include "core/report/run_notes.h"

namespace calibench {

struct ReportedRun {
    RunFacts facts;
    RunNotes notes;
    std::string notes_problem;  ///< why there are none, where they are damaged
};

/// Throws as read_run() does.
[[nodiscard]] ReportedRun read_reported_run(const std::filesystem::path& run_dir);

/// Of one run: all that is known of it. Of several: what sets them apart, held against the first one, and then each of them.
[[nodiscard]] Report report_on(const std::vector<ReportedRun>& runs);
[[nodiscard]] Report report_on_run_dirs(const std::vector<std::filesystem::path>& run_dirs);

/// The calibench-cli line that does the run again, over several lines of a shell.
[[nodiscard]] std::string command_line_of(const RunFacts& run);

}  // namespace calibench
