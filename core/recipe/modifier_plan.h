#pragma once

#include <map>
#include <set>
#include <string>
#include <unordered_set>
#include <vector>

#include "core/recipe/recipe.h"

namespace calibench {

using ModuleNames = std::set<std::string>;

/// What a recipe means for one module.
struct ModuleEffect {
    size_t modifier = 0;
    QuantizationScheme scheme;  ///< without targets
    bool operator==(const ModuleEffect&) const = default;
};

/// By module; what is not quantized is not there.
[[nodiscard]] std::map<std::string, ModuleEffect> effects_of(const ResolvedRecipe& resolved);
[[nodiscard]] QuantizationScheme without_targets(QuantizationScheme scheme);
/// Targets of just these modules, added to a list that has none of them twice.
void append_targets(std::vector<std::string>& list, const ModelSummary& model, const ModuleNames& modules);

/// Changes one modifier of a typed recipe.
class ModifierPlan {
public:
    /// Both outlive the plan.
    ModifierPlan(Modifier& modifier, const ModelSummary& model);

    /// What this modifier alone would quantize.
    [[nodiscard]] std::map<std::string, ModuleEffect> own_effects() const;
    void ignore(const ModuleNames& modules);
    /// Gives `modules` the scheme by a group that has it, by changing a group of just these modules, or by one more. `own`: by
    /// their names, in a group of nothing but names. Throws InputError where no targets mean that.
    void quantize(const ModuleNames& modules, const QuantizationScheme& wanted, bool own);

private:
    /// Leaves the ignore list to the other modules it has.
    void stop_ignoring(const ModuleNames& modules);
    [[nodiscard]] ModuleNames matched_by(const std::string& target) const;
    [[nodiscard]] bool may_hold(const QuantizationScheme& group, const QuantizationScheme& wanted, bool own) const;
    /// Changes the one group that quantizes just `modules`, when no group has the scheme yet.
    bool recast_group(const ModuleNames& modules, const QuantizationScheme& wanted);
    /// Takes targets that mean none but `modules` out of the other groups, and returns them when together they mean all of them.
    std::vector<std::string> drop_targets_within(const ModuleNames& modules, const QuantizationScheme& wanted, bool own);
    /// Replaces patterns that match some of `modules` by others that leave them out.
    void narrow_patterns(const ModuleNames& modules);
    /// Returns the name of the group that has them now.
    std::string add_targets(const std::vector<std::string>& targets, const QuantizationScheme& wanted, bool own);
    void remove_empty_groups();
    /// Do `modules` get what is wanted, and all others what `before` gave them?
    [[nodiscard]] bool does(const Modifier& before, const ModuleNames& modules, const QuantizationScheme& wanted, const std::string& group) const;

    Modifier& modifier_;
    const ModelSummary& model_;
    std::unordered_set<std::string> names_;  ///< all that can be quantized
};

}  // namespace calibench
