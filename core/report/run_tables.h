#pragma once

#include <string>
#include <vector>

#include "core/report/report.h"
#include "core/report/run_figures.h"

namespace calibench {

// A run's numbers, with six digits; what was not measured is an empty cell.

[[nodiscard]] Table blocks_table(const RunFacts& run);
[[nodiscard]] Table losses_table(const RunFacts& run);   ///< a row for each iteration, a column for each block
[[nodiscard]] Table modules_table(const RunFacts& run);
[[nodiscard]] Table expert_tokens_table(const RunFacts& run);

/// The modules that are worse than their peers, the worst first, with the reason (core/analysis/module_badness.h) as far as a run's own facts
/// tell it; where there are none, those of the lowest SQNR.
struct WorstModules {
    bool stand_out = false;  ///< they are worse than their peers
    Table table;
};
[[nodiscard]] WorstModules worst_modules(const RunFacts& run, size_t most = 12);

/// Every module that both runs quantized, the one that lost most first.
[[nodiscard]] Table module_changes_table(const NamedRun& base, const NamedRun& other);

}  // namespace calibench
