#include "core/recipe/scheme_writer.h"

#include "core/base/error.h"
#include "core/recipe/modifier_reader.h"

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

}  // namespace

Json write_config_group(const QuantizationScheme& scheme, const Modifier& modifier) {
    Json group;
    group["targets"] = scheme.targets;
    for (const auto& [name, field] : kArgsFields)
        if (scheme.*field) group[name] = write_args(*(scheme.*field), modifier, field);
    if (scheme.format) group["format"] = to_string(*scheme.format);
    return group;
}

Json write_kv_cache_scheme(const Modifier& modifier) { return write_args(*modifier.kv_cache_scheme, modifier, nullptr); }

}  // namespace calibench
