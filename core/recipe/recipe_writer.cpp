#include <algorithm>
#include <set>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/observers/registry.h"
#include "core/recipe/modifier_reader.h"
#include "core/recipe/recipe.h"
#include "core/recipe/yaml_writer.h"

namespace calibench {

namespace {

using Json = nlohmann::ordered_json;
using ArgsField = std::optional<QuantizationArgs> QuantizationScheme::*;

constexpr std::pair<const char*, ArgsField> kArgsFields[] = {{"weights", &QuantizationScheme::weights},
                                                             {"input_activations", &QuantizationScheme::input_activations},
                                                             {"output_activations", &QuantizationScheme::output_activations}};

/// What parse_recipe would make of written arguments; `field` null stands for kv_cache_scheme.
std::optional<QuantizationArgs> read_back(const nlohmann::json& written, const Modifier& modifier, ArgsField field) {
    try {
        QuantizationArgs args = quantization_args_from_json(written);
        if (!field) return args;
        QuantizationScheme scheme;
        scheme.*field = std::move(args);
        apply_observers(modifier, scheme);
        return scheme.*field;
    } catch (const InputError&) {
        return {};
    }
}

/// The arguments without what follows from the rest.
Json write_args(const QuantizationArgs& args, const Modifier& modifier, ArgsField field) {
    nlohmann::json fields = to_json(args);
    if (args.zp_dtype) fields["zp_dtype"] = to_string(*args.zp_dtype);  // quantization_config leaves a symmetric one out
    for (const char* name : {"block_structure", "dynamic", "actorder", "scale_dtype", "zp_dtype", "observer", "observer_kwargs"}) {
        nlohmann::json shorter = fields;
        shorter.erase(name);
        if (read_back(shorter, modifier, field) == args) fields = std::move(shorter);
    }
    Json written;
    for (const char* name : {"num_bits", "type", "symmetric", "strategy", "group_size", "block_structure", "dynamic", "actorder",
                             "scale_dtype", "zp_dtype", "observer", "observer_kwargs"})
        if (fields.contains(name) && !fields[name].is_null()) written[name] = fields[name];
    return written;
}

Json write_group(const QuantizationScheme& scheme, const Modifier& modifier) {
    Json group;
    group["targets"] = scheme.targets;
    for (const auto& [name, field] : kArgsFields)
        if (scheme.*field) group[name] = write_args(*(scheme.*field), modifier, field);
    if (scheme.format) group["format"] = to_string(*scheme.format);
    return group;
}

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
        for (const auto& [name, scheme] : modifier.config_groups) fields["config_groups"][name] = write_group(scheme, modifier);
    }
    if (modifier.kv_cache_scheme) fields["kv_cache_scheme"] = write_args(*modifier.kv_cache_scheme, modifier, nullptr);
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
            for (const auto& [key, field] : kArgsFields) note(scheme.*field);
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
