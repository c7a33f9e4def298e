#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/report/figure.h"
#include "core/report/run_facts.h"

namespace calibench {

// The plots of a run. Unset where it measured nothing of the kind.

/// "q_proj", "experts.up_proj": what modules have in common that do the same in their blocks.
[[nodiscard]] std::string projection_of(const std::string& module);

/// One number of a module; unset where it is not known.
using ModuleNumber = std::optional<double> ModuleOutcome::*;

[[nodiscard]] std::optional<Figure> block_losses_figure(const RunFacts& run);  ///< the first and the best of each block
[[nodiscard]] std::optional<Figure> loss_curves_figure(const RunFacts& run);
/// By block and projection; of experts the lowest. `label` with the unit.
[[nodiscard]] std::optional<Figure> module_map_figure(const RunFacts& run, ModuleNumber number, const std::string& label);
[[nodiscard]] std::optional<Figure> ranges_figure(const RunFacts& run);        ///< of weights and inputs, a panel for each projection
[[nodiscard]] std::optional<Figure> expert_tokens_figure(const RunFacts& run); ///< shares of their block's tokens

struct NamedRun {
    std::string name;
    const RunFacts* facts;
};
[[nodiscard]] std::optional<Figure> best_losses_figure(const std::vector<NamedRun>& runs);
/// What `other` has more than `base`, by block and projection; of experts the largest loss.
[[nodiscard]] std::optional<Figure> module_changes_figure(const RunFacts& base, const RunFacts& other, ModuleNumber number, const std::string& label);

}  // namespace calibench
