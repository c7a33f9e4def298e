#include <algorithm>
#include <set>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/observers/registry.h"
#include "core/recipe/modifier_reader.h"
#include "core/recipe/recipe.h"
#include "core/recipe/scheme_writer.h"
#include "core/recipe/yaml_writer.h"

namespace calibench {

namespace {

using Json = nlohmann::ordered_json;

/// Do the groups still say what the preset's name says? An editor may have changed one and not the other.
bool is_preset(const Modifier& modifier) {
    if (!modifier.scheme || modifier.config_groups.size() != 1 || modifier.config_groups.front().first != "group_0") return false;
    try {
        QuantizationScheme scheme = preset_scheme(*modifier.scheme, modifier.targets);
        apply_observers(modifier, scheme);
        return scheme == modifier.config_groups.front().second;
    } catch (const InputError&) {
        return false;
    }
}

/// kv_cache_scheme alone leaves one group without arguments, which says nothing.
bool is_kv_cache_only(const Modifier& modifier) {
    return modifier.kv_cache_scheme && modifier.config_groups.size() == 1 && modifier.config_groups.front().first == "group_0" &&
           modifier.config_groups.front().second == QuantizationScheme{.targets = modifier.targets};
}

void write_scheme(const Modifier& modifier, Json& fields) {
    const bool preset = is_preset(modifier);
    if (preset || modifier.targets != Modifier{}.targets) fields["targets"] = modifier.targets;
    if (!modifier.ignore.empty()) fields["ignore"] = modifier.ignore;
    if (preset) {
        fields["scheme"] = *modifier.scheme;
    } else if (!is_kv_cache_only(modifier)) {
        for (const auto& [name, scheme] : modifier.config_groups) fields["config_groups"][name] = write_config_group(scheme, modifier);
    }
    if (modifier.kv_cache_scheme) fields["kv_cache_scheme"] = write_kv_cache_scheme(modifier);
    if (modifier.weight_observer) fields["weight_observer"] = *modifier.weight_observer;
    if (modifier.input_observer) fields["input_observer"] = *modifier.input_observer;
    if (modifier.output_observer) fields["output_observer"] = *modifier.output_observer;
    if (modifier.bypass_divisibility_checks) fields["bypass_divisibility_checks"] = true;
}

Json write_modifier(const Modifier& modifier) {
    Json fields;
    if (const auto* settings = std::get_if<AutoRoundSettings>(&modifier.settings)) {
        const AutoRoundSettings defaults;
        fields["iters"] = settings->iters;
        fields["batch_size"] = settings->batch_size;
        if (settings->lr) fields["lr"] = *settings->lr;
        if (settings->enable_torch_compile != defaults.enable_torch_compile) fields["enable_torch_compile"] = settings->enable_torch_compile;
        if (settings->disable_opt_rtn != defaults.disable_opt_rtn) fields["disable_opt_rtn"] = settings->disable_opt_rtn;
        if (settings->device_ids) fields["device_ids"] = *settings->device_ids;
    }
    write_scheme(modifier, fields);
    if (modifier.index) fields["index"] = *modifier.index;
    if (modifier.start) fields["start"] = *modifier.start;
    if (modifier.end) fields["end"] = *modifier.end;
    if (modifier.update) fields["update"] = *modifier.update;
    return fields;
}

/// Splits the modifiers where one more in the same stage would be reordered, or would need its class name twice as a key.
std::vector<std::vector<const Modifier*>> split_into_stages(const std::vector<Modifier>& modifiers) {
    std::vector<std::vector<const Modifier*>> stages(1);
    std::set<std::string> groups, classes;
    for (const Modifier& modifier : modifiers) {
        auto& stage = stages.back();
        const bool same_group = !stage.empty() && stage.back()->group == modifier.group;
        if (same_group ? classes.contains(modifier.class_name) : groups.contains(modifier.group)) {
            stages.emplace_back();
            groups.clear();
            classes.clear();
        }
        if (!same_group) classes.clear();
        groups.insert(modifier.group);
        classes.insert(modifier.class_name);
        stages.back().push_back(&modifier);
    }
    return stages;
}

/// "# histogram is ..." for every observer that llm-compressor lacks.
std::string extension_comments(const Recipe& recipe) {
    std::set<std::string> extensions;
    const auto note = [&](const std::optional<QuantizationArgs>& args) {
        if (args && args->observer && is_extension_observer(*args->observer)) extensions.insert(*args->observer);
    };
    for (const Modifier& modifier : recipe.modifiers) {
        note(modifier.kv_cache_scheme);
        for (const auto& [name, scheme] : modifier.config_groups)
            for (const auto* args : {&scheme.weights, &scheme.input_activations, &scheme.output_activations}) note(*args);
    }
    std::string comments;
    for (const std::string& name : extensions)
        comments += concat("# Extension: the observer ", name, " is Calibench's own. For llm-compressor, replace it (mse is the nearest).\n");
    return comments;
}

}  // namespace

std::string to_yaml(const Recipe& recipe) {
    Json document;
    if (!recipe.args.empty()) document["args"] = recipe.args;
    const auto stages = split_into_stages(recipe.modifiers);
    for (size_t i = 0; i < stages.size(); ++i) {
        // The last stage's name is the recipe's.
        const std::string number = i + 1 < stages.size() ? concat("_", i + 1) : "";
        Json& stage = document[concat(recipe.stage, number, "_stage")];
        for (const Modifier* modifier : stages[i]) stage[modifier->group + "_modifiers"][modifier->class_name] = write_modifier(*modifier);
    }
    if (!recipe.calibench.empty()) document["calibench"] = recipe.calibench;
    return extension_comments(recipe) + write_yaml(document);
}

}  // namespace calibench
