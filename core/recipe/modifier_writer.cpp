#include "core/recipe/modifier_writer.h"

#include <algorithm>

#include "core/recipe/recipe_edit.h"
#include "core/recipe/scheme_writer.h"
#include "core/recipe/yaml_edit.h"

namespace calibench {

namespace {

using Json = nlohmann::ordered_json;

RecipePath below(RecipePath path, std::initializer_list<std::string> keys) {
    path.insert(path.end(), keys);
    return path;
}

/// Sets the keys that differ, so that what the text says beyond need, an observer by name for one, stays.
std::string set_changes(std::string text, const RecipePath& path, const Json& before, const Json& after) {
    for (const auto& [key, value] : after.items()) {
        if (before.contains(key) && before.at(key) == value) continue;
        const bool both_maps = before.contains(key) && before.at(key).is_object() && value.is_object();
        text = both_maps ? set_changes(std::move(text), below(path, {key}), before.at(key), value) : with_value(text, below(path, {key}), value);
    }
    for (const auto& [key, value] : before.items())
        if (!after.contains(key)) text = without(text, below(path, {key}));
    return text;
}

bool says(const std::string& text, const RecipePath& modifier_path, const std::string& group, const QuantizationScheme& scheme) {
    const ParsedRecipe parsed = parse_recipe(text);
    if (!parsed.recipe) return false;
    for (const Modifier& modifier : parsed.recipe->modifiers)
        for (const auto& [name, found] : modifier.config_groups)
            if (modifier.path == modifier_path && name == group) return found == scheme;
    return false;
}

std::string write_group(const std::string& text, const Modifier& before, const QuantizationScheme& old, const Modifier& after,
                        const std::string& name, const QuantizationScheme& scheme) {
    const RecipePath path = below(after.path, {"config_groups", name});
    const Json wanted = write_config_group(scheme, after);
    const std::string changed = set_changes(text, path, write_config_group(old, before), wanted);
    return says(changed, after.path, name, scheme) ? changed : with_value(text, path, wanted);
}

}  // namespace

Json write_config_groups(const Modifier& modifier) {
    Json groups = Json::object();
    for (const auto& [name, scheme] : modifier.config_groups)
        if (scheme.weights || scheme.input_activations || scheme.output_activations) groups[name] = write_config_group(scheme, modifier);
    return groups;
}

std::string write_changes(std::string text, const Modifier& before, const Modifier& after) {
    const YamlSource written(text);
    if (after.ignore != before.ignore) text = with_value(text, below(after.path, {"ignore"}), after.ignore);
    if (after.config_groups == before.config_groups) return text;

    const RecipePath groups_path = below(after.path, {"config_groups"});
    const nlohmann::json* groups = written.find(groups_path);
    if (!groups || !groups->is_object()) {
        // A preset's line becomes the groups' line, so that its comments stay.
        if (const RecipePath scheme = below(after.path, {"scheme"}); written.find(scheme)) {
            text = without(text, groups_path);
            const YamlSource source(text);
            text = spliced(text, YamlEditor(source).rename(scheme, "config_groups"));
        }
        text = with_value(text, groups_path, write_config_groups(after));
        return without(text, below(after.path, {"targets"}));
    }
    const auto find_group = [](const Modifier& modifier, const std::string& name) {
        const auto found = std::find_if(modifier.config_groups.begin(), modifier.config_groups.end(), [&](const auto& group) { return group.first == name; });
        return found == modifier.config_groups.end() ? nullptr : &found->second;
    };
    for (const auto& [name, scheme] : after.config_groups) {
        const QuantizationScheme* old = find_group(before, name);
        if (!old) text = with_value(text, below(groups_path, {name}), write_config_group(scheme, after));
        else if (*old != scheme) text = write_group(text, before, *old, after, name, scheme);
    }
    for (const auto& [name, scheme] : before.config_groups)
        if (!find_group(after, name)) text = without(text, below(groups_path, {name}));
    return text;
}

}  // namespace calibench
