#include "core/recipe/modifier_plan.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/recipe/recipe_edit.h"
#include "core/recipe/target_list.h"

namespace calibench {

namespace {

bool subset(const ModuleNames& part, const ModuleNames& whole) { return std::includes(whole.begin(), whole.end(), part.begin(), part.end()); }

std::vector<std::string> listed(const ModuleNames& names) { return {names.begin(), names.end()}; }

ModuleNames without_names(const ModuleNames& from, const ModuleNames& taken) {
    ModuleNames rest;
    std::set_difference(from.begin(), from.end(), taken.begin(), taken.end(), std::inserter(rest, rest.end()));
    return rest;
}

void append_new(std::vector<std::string>& list, const std::vector<std::string>& more) {
    for (const std::string& item : more)
        if (std::find(list.begin(), list.end(), item) == list.end()) list.push_back(item);
}

bool has(const std::map<std::string, ModuleEffect>& effects, const std::string& name, const QuantizationScheme& wanted) {
    const auto found = effects.find(name);
    return found != effects.end() && found->second.scheme == wanted;
}

}  // namespace

QuantizationScheme without_targets(QuantizationScheme scheme) {
    scheme.targets.clear();
    return scheme;
}

std::map<std::string, ModuleEffect> effects_of(const ResolvedRecipe& resolved) {
    std::map<std::string, ModuleEffect> effects;
    for (const ResolvedModule& module : resolved.modules) effects[module.name] = {module.modifier, without_targets(module.scheme)};
    return effects;
}

void append_targets(std::vector<std::string>& list, const ModelSummary& model, const ModuleNames& modules) {
    append_new(list, targets_for(model, listed(modules)));
}

ModifierPlan::ModifierPlan(Modifier& modifier, const ModelSummary& model) : modifier_(modifier), model_(model) {
    for (const ModuleInfo& module : model.modules)
        if (is_quantizable(module)) names_.insert(module.name);
}

std::map<std::string, ModuleEffect> ModifierPlan::own_effects() const {
    return effects_of(resolve_recipe({.modifiers = {modifier_}}, model_));
}

void ModifierPlan::ignore(const ModuleNames& modules) {
    // A name that says how to quantize a module says nothing any more; a modifier must keep a group, though.
    auto groups = modifier_.config_groups;
    for (auto& [name, scheme] : groups)
        std::erase_if(scheme.targets, [&](const std::string& target) { return modules.contains(target); });
    std::erase_if(groups, [&](const auto& group) { return group.second.targets.empty(); });
    if (!groups.empty()) modifier_.config_groups = std::move(groups);

    ModuleNames left;
    const auto effects = own_effects();
    for (const std::string& name : modules)
        if (effects.contains(name)) left.insert(name);
    append_targets(modifier_.ignore, model_, left);
}

void ModifierPlan::stop_ignoring(const ModuleNames& modules) {
    std::vector<std::string> kept;
    for (const std::string& entry : modifier_.ignore) {
        const ModuleNames matched = matched_by(entry);
        const ModuleNames rest = without_names(matched, modules);
        append_new(kept, rest.size() == matched.size() ? std::vector{entry} : targets_for(model_, listed(rest)));
    }
    modifier_.ignore = std::move(kept);
}

void ModifierPlan::quantize(const ModuleNames& modules, const QuantizationScheme& wanted, bool own) {
    stop_ignoring(modules);
    if (!own && recast_group(modules, wanted)) return;
    const std::vector<std::string> moved = drop_targets_within(modules, wanted, own);
    const Modifier base = modifier_;
    ModuleNames left = modules;
    if (own) {
        for (const auto& [name, scheme] : modifier_.config_groups)
            if (may_hold(scheme, wanted, own))
                for (const std::string& target : scheme.targets) left.erase(target);
    } else {
        std::erase_if(left, [&, effects = own_effects()](const std::string& name) { return has(effects, name, wanted); });
    }
    if (left.empty()) {
        remove_empty_groups();
        return;
    }
    const std::vector<std::string> shortest = own ? std::vector<std::string>{} : targets_for(model_, listed(left));
    for (const auto& [targets, narrow] : {std::pair{moved, false}, {shortest, false}, {shortest, true}, {listed(left), false}}) {
        modifier_ = base;
        if (targets.empty()) continue;
        if (narrow) narrow_patterns(modules);
        const std::string group = add_targets(targets, wanted, own);
        remove_empty_groups();
        if (does(base, modules, wanted, own ? group : "")) return;
    }
    throw InputError("this recipe cannot say that; edit its targets by hand");
}

ModuleNames ModifierPlan::matched_by(const std::string& target) const {
    if (names_.contains(target)) return {target};
    const std::vector<std::string> names = matched_modules(target, model_);
    return {names.begin(), names.end()};
}

bool ModifierPlan::may_hold(const QuantizationScheme& group, const QuantizationScheme& wanted, bool own) const {
    return without_targets(group) == wanted && (!own || std::all_of(group.targets.begin(), group.targets.end(), [this](const std::string& target) {
        return names_.contains(target);
    }));
}

bool ModifierPlan::recast_group(const ModuleNames& modules, const QuantizationScheme& wanted) {
    std::map<std::string, ModuleNames> modules_of;
    for (const ResolvedModule& module : resolve_recipe({.modifiers = {modifier_}}, model_).modules)
        modules_of[module.config_group].insert(module.name);
    const auto group = std::find_if(modifier_.config_groups.begin(), modifier_.config_groups.end(),
                                    [&](const auto& candidate) { return modules_of[candidate.first] == modules; });
    const bool has_home = std::any_of(modifier_.config_groups.begin(), modifier_.config_groups.end(),
                                      [&](const auto& candidate) { return may_hold(candidate.second, wanted, false); });
    if (group == modifier_.config_groups.end() || has_home) return false;
    const std::vector<std::string> targets = group->second.targets;
    group->second = wanted;
    group->second.targets = targets;
    return true;
}

std::vector<std::string> ModifierPlan::drop_targets_within(const ModuleNames& modules, const QuantizationScheme& wanted, bool own) {
    ModuleNames ignored;
    for (const std::string& entry : modifier_.ignore) ignored.merge(matched_by(entry));
    std::vector<std::string> dropped;
    ModuleNames covered;
    for (auto& [name, scheme] : modifier_.config_groups) {
        if (may_hold(scheme, wanted, own)) continue;
        std::erase_if(scheme.targets, [&](const std::string& target) {
            ModuleNames matched = without_names(matched_by(target), ignored);
            const bool within = own ? modules.contains(target) : !matched.empty() && subset(matched, modules);
            if (!within) return false;
            dropped.push_back(target);
            covered.merge(matched);
            return true;
        });
    }
    return covered == modules && !own ? dropped : std::vector<std::string>{};
}

void ModifierPlan::narrow_patterns(const ModuleNames& modules) {
    for (auto& [name, scheme] : modifier_.config_groups) {
        std::vector<std::string> targets;
        for (const std::string& target : scheme.targets) {
            const ModuleNames matched = matched_by(target);
            const ModuleNames rest = without_names(matched, modules);
            const bool leave = rest.size() == matched.size() || !target.starts_with("re:");
            append_new(targets, leave ? std::vector{target} : targets_for(model_, listed(rest)));
        }
        scheme.targets = std::move(targets);
    }
}

std::string ModifierPlan::add_targets(const std::vector<std::string>& targets, const QuantizationScheme& wanted, bool own) {
    for (auto& [name, scheme] : modifier_.config_groups)
        if (may_hold(scheme, wanted, own)) {
            append_new(scheme.targets, targets);
            return name;
        }
    const auto is_taken = [this](const std::string& name) {
        return std::any_of(modifier_.config_groups.begin(), modifier_.config_groups.end(), [&](const auto& group) { return group.first == name; });
    };
    size_t number = modifier_.config_groups.size();
    while (is_taken(concat("group_", number))) ++number;
    QuantizationScheme scheme = wanted;
    scheme.targets = targets;
    modifier_.config_groups.emplace_back(concat("group_", number), std::move(scheme));
    return modifier_.config_groups.back().first;
}

void ModifierPlan::remove_empty_groups() {
    std::erase_if(modifier_.config_groups, [](const auto& group) { return group.second.targets.empty(); });
}

bool ModifierPlan::does(const Modifier& before, const ModuleNames& modules, const QuantizationScheme& wanted, const std::string& group) const {
    auto expected = effects_of(resolve_recipe({.modifiers = {before}}, model_));
    for (const std::string& name : modules) expected[name] = {0, wanted};
    const ResolvedRecipe resolved = resolve_recipe({.modifiers = {modifier_}}, model_);
    if (effects_of(resolved) != expected) return false;
    return group.empty() || std::all_of(resolved.modules.begin(), resolved.modules.end(), [&](const ResolvedModule& module) {
        return !modules.contains(module.name) || module.config_group == group;
    });
}

}  // namespace calibench
