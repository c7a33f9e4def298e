#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/base/run_control.h"
#include "core/calibration/run_plan.h"

namespace calibench {

/// How one block is quantized, or the blocks tuned together with it, and the whole run's recipe that says so.
struct BlockRecipe {
    ModulePlans modules;                    ///< ModulePlan::tuning: index into `tunings`
    std::vector<AutoRoundOptions> tunings;
    Recipe recipe;
    std::string recipe_yaml;
    nlohmann::json quantization_config;
    std::optional<int64_t> iters;           ///< ordered for this block alone, as are the rates
    std::optional<double> lr, minmax_lr;

    /// Of the tuned modules; 0 where all are rounded to nearest.
    [[nodiscard]] int64_t max_iters() const;
    [[nodiscard]] double rounding_lr() const;
    [[nodiscard]] double ranges_lr() const;
};

/// As the run was planned.
[[nodiscard]] BlockRecipe planned_recipe(const RunPlan& plan, BlockRange blocks);
/// `before` as `order` changes it. A recipe in the order decides on this block's modules alone: where it would change others as well,
/// the run's recipe gets modifiers of its own for this block instead. Throws InputError, a sentence, for an order that cannot be obeyed.
[[nodiscard]] BlockRecipe changed_recipe(const BlockRecipe& before, const BlockOrder& order, const RunPlan& plan, BlockRange blocks);
/// The rest of the run, and its export, follow the recipe of a block that is done.
void follow_recipe(RunPlan& plan, BlockRange blocks, const BlockRecipe& recipe);

/// Whatever targets brought it there: recipes may name the same modules in different ways.
[[nodiscard]] bool same_scheme(QuantizationScheme a, QuantizationScheme b);
[[nodiscard]] bool same_schemes(const BlockRecipe& a, const BlockRecipe& b);
/// "iters 200 -> 400, scheme of 7 modules"; "the same settings" when there is no change.
[[nodiscard]] std::string describe_changes(const BlockRecipe& before, const BlockRecipe& after);

}  // namespace calibench
