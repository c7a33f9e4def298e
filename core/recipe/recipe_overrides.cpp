// Overrides per module: what is wanted is worked out on the typed recipe, by trying and resolving, and only then written into the text
// where the two differ. The written text is read and resolved once more: what it means for every module is what was wanted.

#include <algorithm>
#include <map>
#include <set>
#include <unordered_set>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/quantization/target.h"
#include "core/recipe/modifier_reader.h"
#include "core/recipe/modifier_writer.h"
#include "core/recipe/recipe_edit.h"
#include "core/recipe/scheme_checks.h"
#include "core/recipe/yaml_source.h"

namespace calibench {

namespace {

using Names = std::set<std::string>;

RecipePath config_groups_path(RecipePath modifier) {
    modifier.push_back("config_groups");
    return modifier;
}

QuantizationScheme without_targets(QuantizationScheme scheme) {
    scheme.targets.clear();
    return scheme;
}

/// What a recipe means for one module.
struct Effect {
    size_t modifier = 0;
    QuantizationScheme scheme;
    bool operator==(const Effect&) const = default;
};

/// By module; what is not quantized is not there.
std::map<std::string, Effect> effects_of(const ResolvedRecipe& resolved) {
    std::map<std::string, Effect> effects;
    for (const ResolvedModule& module : resolved.modules) effects[module.name] = {module.modifier, without_targets(module.scheme)};
    return effects;
}

bool subset(const Names& part, const Names& whole) { return std::includes(whole.begin(), whole.end(), part.begin(), part.end()); }

std::vector<std::string> listed(const Names& names) { return {names.begin(), names.end()}; }

Names without_names(const Names& from, const Names& taken) {
    Names rest;
    std::set_difference(from.begin(), from.end(), taken.begin(), taken.end(), std::inserter(rest, rest.end()));
    return rest;
}

template <typename T>
void append_new(std::vector<T>& list, const std::vector<T>& more) {
    for (const T& item : more)
        if (std::find(list.begin(), list.end(), item) == list.end()) list.push_back(item);
}

/// Changes one modifier of a typed recipe.
class ModifierPlan {
public:
    ModifierPlan(Modifier& modifier, const ModelSummary& model) : modifier_(modifier), model_(model) {
        for (const ModuleInfo& module : model.modules)
            if (module.class_name == "Linear" || module.class_name == "Embedding") names_.insert(module.name);
    }

    /// What this modifier alone would quantize.
    [[nodiscard]] std::map<std::string, Effect> own_effects() const { return effects_of(resolve_recipe({.modifiers = {modifier_}}, model_)); }

    void ignore(const Names& modules) {
        // A name that says how to quantize a module says nothing any more; a modifier must keep a group, though.
        auto groups = modifier_.config_groups;
        for (auto& [name, scheme] : groups)
            std::erase_if(scheme.targets, [&](const std::string& target) { return modules.contains(target); });
        std::erase_if(groups, [&](const auto& group) { return group.second.targets.empty(); });
        if (!groups.empty()) modifier_.config_groups = std::move(groups);

        Names left;
        const auto effects = own_effects();
        for (const std::string& name : modules)
            if (effects.contains(name)) left.insert(name);
        append_new(modifier_.ignore, targets_for(model_, listed(left)));
    }

    /// Leaves the ignore list to the other modules it has.
    void stop_ignoring(const Names& modules) {
        std::vector<std::string> kept;
        for (const std::string& entry : modifier_.ignore) {
            const Names matched = matched_by(entry);
            const Names rest = without_names(matched, modules);
            append_new(kept, rest.size() == matched.size() ? std::vector{entry} : targets_for(model_, listed(rest)));
        }
        modifier_.ignore = std::move(kept);
    }

    /// Gives `modules` the scheme by a group that has it, by changing a group of just these modules, or by one more. `own`: by their names, in a group of nothing but names.
    void quantize(const Names& modules, const QuantizationScheme& wanted, bool own) {
        stop_ignoring(modules);
        if (!own && recast_group(modules, wanted)) return;
        const std::vector<std::string> moved = drop_targets_within(modules, wanted, own);
        const Modifier base = modifier_;
        Names left = modules;
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

private:
    [[nodiscard]] Names matched_by(const std::string& target) const {
        if (names_.contains(target)) return {target};
        const std::vector<std::string> names = matched_modules(target, model_);
        return {names.begin(), names.end()};
    }

    static bool has(const std::map<std::string, Effect>& effects, const std::string& name, const QuantizationScheme& wanted) {
        const auto found = effects.find(name);
        return found != effects.end() && found->second.scheme == wanted;
    }

    [[nodiscard]] bool may_hold(const QuantizationScheme& group, const QuantizationScheme& wanted, bool own) const {
        return without_targets(group) == wanted && (!own || std::all_of(group.targets.begin(), group.targets.end(), [this](const std::string& target) {
            return names_.contains(target);
        }));
    }

    /// Changes the one group that quantizes just `modules`, when no group has the scheme yet.
    bool recast_group(const Names& modules, const QuantizationScheme& wanted) {
        std::map<std::string, Names> modules_of;
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

    /// Takes targets that mean none but `modules` out of the other groups, and returns them when together they mean all of them.
    std::vector<std::string> drop_targets_within(const Names& modules, const QuantizationScheme& wanted, bool own) {
        Names ignored;
        for (const std::string& entry : modifier_.ignore) ignored.merge(matched_by(entry));
        std::vector<std::string> dropped;
        Names covered;
        for (auto& [name, scheme] : modifier_.config_groups) {
            if (may_hold(scheme, wanted, own)) continue;
            std::erase_if(scheme.targets, [&](const std::string& target) {
                Names matched = without_names(matched_by(target), ignored);
                const bool within = own ? modules.contains(target) : !matched.empty() && subset(matched, modules);
                if (!within) return false;
                dropped.push_back(target);
                covered.merge(matched);
                return true;
            });
        }
        return covered == modules && !own ? dropped : std::vector<std::string>{};
    }

    /// Replaces patterns that match some of `modules` by others that leave them out.
    void narrow_patterns(const Names& modules) {
        for (auto& [name, scheme] : modifier_.config_groups) {
            std::vector<std::string> targets;
            for (const std::string& target : scheme.targets) {
                const Names matched = matched_by(target);
                const Names rest = without_names(matched, modules);
                const bool leave = rest.size() == matched.size() || !target.starts_with("re:");
                append_new(targets, leave ? std::vector{target} : targets_for(model_, listed(rest)));
            }
            scheme.targets = std::move(targets);
        }
    }

    /// Returns the name of the group that has them now.
    std::string add_targets(const std::vector<std::string>& targets, const QuantizationScheme& wanted, bool own) {
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

    void remove_empty_groups() {
        std::erase_if(modifier_.config_groups, [](const auto& group) { return group.second.targets.empty(); });
    }

    /// Do `modules` get what is wanted, and all others what `before` gave them?
    [[nodiscard]] bool does(const Modifier& before, const Names& modules, const QuantizationScheme& wanted, const std::string& group) const {
        auto expected = effects_of(resolve_recipe({.modifiers = {before}}, model_));
        for (const std::string& name : modules) expected[name] = {0, wanted};
        const ResolvedRecipe resolved = resolve_recipe({.modifiers = {modifier_}}, model_);
        if (effects_of(resolved) != expected) return false;
        return group.empty() || std::all_of(resolved.modules.begin(), resolved.modules.end(), [&](const ResolvedModule& module) {
            return !modules.contains(module.name) || module.config_group == group;
        });
    }

    Modifier& modifier_;
    const ModelSummary& model_;
    std::unordered_set<std::string> names_;
};

Recipe read_recipe(const std::string& text) {
    ParsedRecipe parsed = parse_recipe(text);
    if (!parsed.recipe) {
        const auto error = std::find_if(parsed.diagnostics.begin(), parsed.diagnostics.end(), [](const Diagnostic& diagnostic) {
            return diagnostic.severity == Diagnostic::Severity::Error;
        });
        throw InputError(concat("correct the recipe first: ", to_string(*error)));
    }
    parsed.recipe->source.clear();  // nobody reads the fixes of what is only tried
    return std::move(*parsed.recipe);
}

/// Where a first modifier would go; empty when there is one.
RecipePath place_for_first_modifier(const nlohmann::json& document) {
    RecipePath path = {"default_stage", "default_modifiers"};
    if (!document.is_object()) return path;
    const auto is_group = [](const std::string& key) { return key == "modifiers" || key.ends_with("_modifiers"); };
    bool stage_found = false;
    for (const auto& [key, value] : document.items()) {
        if (is_group(key) && value.is_object() && !value.empty()) return {};
        if (!key.ends_with("_stage")) continue;
        if (!stage_found) path[0] = key;
        if (value.is_object())
            for (const auto& [group, modifiers] : value.items()) {
                if (!is_group(group)) continue;
                if (modifiers.is_object() && !modifiers.empty()) return {};
                if (!stage_found) path[1] = group == "modifiers" ? path[1] : group;
            }
        stage_found = true;
    }
    return path;
}

/// One change of a recipe for some modules of a model.
class RecipeChange {
public:
    RecipeChange(const std::string& text, const ModelSummary& model, const std::vector<std::string>& modules)
        : text_(text), model_(model), before_(read_recipe(text)), after_(before_), modules_(modules.begin(), modules.end()) {
        wanted_ = effects_of(resolve_recipe(before_, model));
    }

    void override_with(const QuantizationScheme& scheme) {
        std::map<size_t, Names> parts;
        for (const std::string& name : modules_) {
            const auto effect = wanted_.find(name);
            const size_t now = effect == wanted_.end() ? after_.modifiers.size() - 1 : effect->second.modifier;
            parts[modifier_that_can(scheme, now)].insert(name);
        }
        for (const auto& [index, names] : parts) {
            for (size_t other = 0; other < before_.modifiers.size(); ++other)
                if (other != index) leave(other, index, names);
            QuantizationScheme applied = without_targets(scheme);
            apply_observers(after_.modifiers[index], applied);
            ModifierPlan(after_.modifiers[index], model_).quantize(names, applied, false);
            for (const std::string& name : names) wanted_[name] = {index, applied};
        }
    }

    void ignore() {
        for (size_t i = 0; i < after_.modifiers.size(); ++i) ignore_in(i, modules_);
        for (const std::string& name : modules_) wanted_.erase(name);
    }

    void pin() {
        std::vector<std::pair<Effect, Names>> parts;
        Names left_alone;
        for (const std::string& name : modules_) {
            const auto effect = wanted_.find(name);
            if (effect == wanted_.end()) {
                left_alone.insert(name);
                continue;
            }
            auto part = std::find_if(parts.begin(), parts.end(), [&](const auto& known) { return known.first == effect->second; });
            if (part == parts.end()) part = parts.insert(part, {effect->second, {}});
            part->second.insert(name);
        }
        for (const auto& [effect, names] : parts)
            ModifierPlan(after_.modifiers[effect.modifier], model_).quantize(names, effect.scheme, true);
        for (Modifier& modifier : after_.modifiers) {
            Names free = left_alone;
            for (const std::string& entry : modifier.ignore)
                for (const std::string& name : matched_modules(entry, model_)) free.erase(name);
            append_new(modifier.ignore, targets_for(model_, listed(free)));
        }
    }

    /// The new text, or an InputError when it would not mean what it should.
    [[nodiscard]] std::string write() const {
        std::string text = text_;
        for (size_t i = 0; i < after_.modifiers.size(); ++i) {
            if (i < before_.modifiers.size()) text = write_changes(std::move(text), before_.modifiers[i], after_.modifiers[i]);
            else text = with_value(text, config_groups_path(after_.modifiers[i].path), write_config_groups(after_.modifiers[i]));
        }
        if (text != text_ && effects_of(resolve_recipe(read_recipe(text), model_)) != wanted_)
            throw InputError("this recipe cannot say that for just these modules; edit it by hand");
        return text;
    }

private:
    /// `preferred`, or another modifier where AutoRound cannot tune such a scheme.
    size_t modifier_that_can(const QuantizationScheme& scheme, size_t preferred) {
        const auto can = [&](size_t index) {
            const auto* settings = std::get_if<AutoRoundSettings>(&after_.modifiers[index].settings);
            return !settings || settings->iters == 0 || !scheme.weights || tuning_obstacle(*scheme.weights).empty();
        };
        if (can(preferred)) return preferred;
        for (size_t i = after_.modifiers.size(); i-- > 0;)
            if (can(i)) return i;
        Modifier rounding{.class_name = "QuantizationModifier", .group = after_.modifiers.back().group, .path = after_.modifiers.back().path};
        rounding.path.back() = rounding.class_name;
        after_.modifiers.push_back(std::move(rounding));
        return after_.modifiers.size() - 1;
    }

    /// Takes modules away from a modifier that would decide instead of `index`, or did until now.
    void leave(size_t other, size_t index, const Names& names) {
        Names taken;
        for (const std::string& name : names) {
            const auto effect = wanted_.find(name);
            if (other > index || (effect != wanted_.end() && effect->second.modifier == other)) taken.insert(name);
        }
        ignore_in(other, taken);
    }

    void ignore_in(size_t index, const Names& names) {
        ModifierPlan plan(after_.modifiers[index], model_);
        Names taken;
        const auto effects = plan.own_effects();
        for (const std::string& name : names)
            if (effects.contains(name)) taken.insert(name);
        if (!taken.empty()) plan.ignore(taken);
    }

    const std::string& text_;
    const ModelSummary& model_;
    Recipe before_, after_;
    Names modules_;
    std::map<std::string, Effect> wanted_;
};

void check_modules(const ModelSummary& model, const std::vector<std::string>& modules) {
    std::set<std::string> known;
    for (const ModuleInfo& module : model.modules)
        if (module.class_name == "Linear" || module.class_name == "Embedding") known.insert(module.name);
    for (const std::string& name : modules)
        if (!known.contains(name)) throw InputError(concat("the model has no Linear or Embedding module '", name, "'"));
}

}  // namespace

std::string with_override(const std::string& text, const ModelSummary& model, const std::vector<std::string>& modules,
                          const QuantizationScheme& scheme) {
    check_modules(model, modules);
    if (modules.empty()) return text;
    if (!scheme.weights && !scheme.input_activations && !scheme.output_activations) return with_ignored(text, model, modules);
    if (const RecipePath path = place_for_first_modifier(YamlSource(text).meaning()); !path.empty()) {
        Modifier first{.class_name = "QuantizationModifier"};
        QuantizationScheme applied = scheme;
        apply_observers(first, applied);
        applied.targets = targets_for(model, modules);
        first.config_groups = {{"group_0", std::move(applied)}};
        return with_value(text, config_groups_path({path[0], path[1], first.class_name}), write_config_groups(first));
    }
    RecipeChange change(text, model, modules);
    change.override_with(scheme);
    return change.write();
}

std::string with_ignored(const std::string& text, const ModelSummary& model, const std::vector<std::string>& modules) {
    check_modules(model, modules);
    if (modules.empty() || !place_for_first_modifier(YamlSource(text).meaning()).empty()) return text;
    RecipeChange change(text, model, modules);
    change.ignore();
    return change.write();
}

std::string with_pinned(const std::string& text, const ModelSummary& model, const std::vector<std::string>& modules) {
    check_modules(model, modules);
    if (modules.empty() || !place_for_first_modifier(YamlSource(text).meaning()).empty()) return text;
    RecipeChange change(text, model, modules);
    change.pin();
    return change.write();
}

}  // namespace calibench
