// Overrides per module: what is wanted is worked out on the typed recipe, by trying and resolving, and only then written into the text
// where the two differ. The written text is read and resolved once more: what it means for every module is what was wanted.

#include <algorithm>
#include <map>
#include <set>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/recipe/modifier_plan.h"
#include "core/recipe/modifier_reader.h"
#include "core/recipe/modifier_writer.h"
#include "core/recipe/recipe_edit.h"
#include "core/recipe/scheme_checks.h"
#include "core/recipe/target_list.h"
#include "core/recipe/yaml_source.h"

namespace calibench {

namespace {

RecipePath config_groups_path(RecipePath modifier) {
    modifier.push_back("config_groups");
    return modifier;
}

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
        std::map<size_t, ModuleNames> parts;
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
        std::vector<std::pair<ModuleEffect, ModuleNames>> parts;
        ModuleNames left_alone;
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
            ModuleNames free = left_alone;
            for (const std::string& entry : modifier.ignore)
                for (const std::string& name : matched_modules(entry, model_)) free.erase(name);
            append_targets(modifier.ignore, model_, free);
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
    void leave(size_t other, size_t index, const ModuleNames& names) {
        ModuleNames taken;
        for (const std::string& name : names) {
            const auto effect = wanted_.find(name);
            if (other > index || (effect != wanted_.end() && effect->second.modifier == other)) taken.insert(name);
        }
        ignore_in(other, taken);
    }

    void ignore_in(size_t index, const ModuleNames& names) {
        ModifierPlan plan(after_.modifiers[index], model_);
        ModuleNames taken;
        const auto effects = plan.own_effects();
        for (const std::string& name : names)
            if (effects.contains(name)) taken.insert(name);
        if (!taken.empty()) plan.ignore(taken);
    }

    const std::string& text_;
    const ModelSummary& model_;
    Recipe before_, after_;
    ModuleNames modules_;
    std::map<std::string, ModuleEffect> wanted_;
};

void check_modules(const ModelSummary& model, const std::vector<std::string>& modules) {
    std::set<std::string> known;
    for (const ModuleInfo& module : model.modules)
        if (is_quantizable(module)) known.insert(module.name);
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
