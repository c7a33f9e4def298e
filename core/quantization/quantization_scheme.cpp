#include "core/quantization/quantization_scheme.h"

#include <algorithm>
#include <array>

#include "core/base/error.h"
#include "core/base/text.h"

namespace calibench {

namespace {

using nlohmann::json;

constexpr std::array<std::pair<CompressionFormat, const char*>, 9> format_names{{
    {CompressionFormat::Dense, "dense"},
    {CompressionFormat::PackQuantized, "pack-quantized"},
    {CompressionFormat::IntQuantized, "int-quantized"},
    {CompressionFormat::FloatQuantized, "float-quantized"},
    {CompressionFormat::NaiveQuantized, "naive-quantized"},
    {CompressionFormat::Nvfp4PackQuantized, "nvfp4-pack-quantized"},
    {CompressionFormat::Mxfp4PackQuantized, "mxfp4-pack-quantized"},
    {CompressionFormat::Mxfp8Quantized, "mxfp8-quantized"},
    {CompressionFormat::MixedPrecision, "mixed-precision"},
}};

void check_scheme(const QuantizationScheme& scheme) {
    if (const auto& input = scheme.input_activations) {
        if (input->strategy == Strategy::Channel || input->strategy == Strategy::Block)
            throw InputError(concat("Using ", to_string(*input->strategy), " strategy is not supported for activation quantization"));
        if (input->actorder) throw InputError("Cannot apply actorder to input activations");
    }
    if (scheme.output_activations && scheme.output_activations->actorder)
        throw InputError("Cannot apply actorder to output activations");
    if (scheme.format == CompressionFormat::MixedPrecision)
        throw InputError("mixed-precision cannot be set as a format for a QuantizationScheme");
}

std::vector<std::string> string_list(const std::string& key, const json& value) {
    if (!value.is_array() || !std::all_of(value.begin(), value.end(), [](const json& item) { return item.is_string(); }))
        throw InputError(concat(key, ": Input should be a list of strings, got ", value.dump()));
    return value.get<std::vector<std::string>>();
}

std::optional<QuantizationArgs> optional_args(const std::string& key, const json& value, ArgsSource source) {
    if (value.is_null()) return {};
    try {
        return quantization_args_from_json(value, source);
    } catch (const InputError& error) {
        throw InputError(concat(key, ".", error.what()));
    }
}

std::string short_type(const QuantizationArgs& args) {
    return concat(args.type == QuantizationType::Float ? "fp" : "", args.num_bits);
}

}  // namespace

QuantizationScheme quantization_scheme_from_json(const json& object, ArgsSource source) {
    if (!object.is_object()) throw InputError(concat("a quantization scheme must be a mapping of fields, got ", object.dump()));
    if (!object.contains("targets")) throw InputError("targets: Field required, the list of modules that the scheme applies to");
    QuantizationScheme scheme;
    for (const auto& [key, value] : object.items()) {
        if (key == "targets") scheme.targets = string_list(key, value);
        else if (key == "weights") scheme.weights = optional_args(key, value, source);
        else if (key == "input_activations") scheme.input_activations = optional_args(key, value, source);
        else if (key == "output_activations") scheme.output_activations = optional_args(key, value, source);
        else if (key != "format")
            throw InputError(concat(key, ": Extra inputs are not permitted; the fields are targets, weights, input_activations, "
                                    "output_activations and format"));
        else if (value.is_string()) scheme.format = compression_format_from_string(value.get<std::string>());
        else if (!value.is_null()) throw InputError(concat("format: Input should be the name of a format, got ", value.dump()));
    }
    check_scheme(scheme);
    return scheme;
}

json to_json(const QuantizationScheme& scheme) {
    const auto optional_json = [](const std::optional<QuantizationArgs>& args) { return args ? to_json(*args) : json(); };
    return {
        {"targets", scheme.targets},
        {"weights", optional_json(scheme.weights)},
        {"input_activations", optional_json(scheme.input_activations)},
        {"output_activations", optional_json(scheme.output_activations)},
        {"format", scheme.format ? json(to_string(*scheme.format)) : json()},
    };
}

QuantizationConfig quantization_config_from_json(const json& object) {
    if (!object.is_object()) throw InputError("quantization_config must be a mapping of fields");
    const json method = object.value("quant_method", json("compressed-tensors"));
    if (method != "compressed-tensors")
        throw InputError(concat("quantization_config.quant_method is ", method.dump(), "; only \"compressed-tensors\" can be read"));

    QuantizationConfig config;
    const json groups = object.value("config_groups", json::object());
    if (!groups.is_object()) throw InputError("quantization_config.config_groups must be a mapping of groups");
    for (const auto& [name, group] : groups.items()) {
        try {
            config.config_groups.emplace_back(
                name, group.is_array() ? preset_scheme(name, string_list("targets", group))
                                       : quantization_scheme_from_json(group, ArgsSource::Checkpoint));
        } catch (const InputError& error) {
            throw InputError(concat("quantization_config.config_groups.", name, ": ", error.what()));
        }
    }
    if (const json ignore = object.value("ignore", json()); !ignore.is_null())
        config.ignore = string_list("quantization_config.ignore", ignore);
    config.kv_cache_scheme =
        optional_args("quantization_config.kv_cache_scheme", object.value("kv_cache_scheme", json()), ArgsSource::Checkpoint);
    if (const json format = object.value("format", json()); format.is_string())
        config.format = compression_format_from_string(format.get<std::string>());
    return config;
}

CompressionFormat infer_format(const QuantizationScheme& scheme) {
    if (scheme.format) return *scheme.format;
    if (!scheme.weights) return CompressionFormat::Dense;
    const QuantizationArgs& weights = *scheme.weights;
    if (weights.type == QuantizationType::Int) {
        if (scheme.input_activations) return CompressionFormat::IntQuantized;
        return weights.num_bits <= 8 ? CompressionFormat::PackQuantized : CompressionFormat::NaiveQuantized;
    }
    if (weights.num_bits == 4 && weights.group_size == 32) return CompressionFormat::Mxfp4PackQuantized;
    if (weights.num_bits == 8 && is_mx(weights)) return CompressionFormat::Mxfp8Quantized;
    if (weights.num_bits == 4 && weights.group_size == 16) return CompressionFormat::Nvfp4PackQuantized;
    return scheme.input_activations ? CompressionFormat::FloatQuantized : CompressionFormat::NaiveQuantized;
}

std::string to_string(CompressionFormat format) { return format_names[size_t(format)].second; }

CompressionFormat compression_format_from_string(const std::string& name) {
    std::vector<std::string> known;
    for (const auto& [format, text] : format_names) {
        if (name == text) return format;
        known.push_back(text);
    }
    throw InputError(concat("'", name, "' is no compression format that can be read or written; choose from ",
                            list_names(known, known.size())));
}

std::string describe(const QuantizationScheme& scheme) {
    if (!scheme.weights) return scheme.input_activations || scheme.output_activations ? "activations only" : "unquantized";
    const QuantizationArgs& weights = *scheme.weights;
    if (weights.type == QuantizationType::Float) {  // people know these by name
        for (const std::string& name : preset_scheme_names()) {
            QuantizationScheme preset = preset_scheme(name, scheme.targets);
            preset.format = scheme.format;
            if (preset == scheme) return name;
        }
    }
    const std::string activations = scheme.input_activations ? short_type(*scheme.input_activations) : "16";
    const std::string detail = describe(weights);
    return concat("W", short_type(weights), "A", activations, detail.substr(detail.find(' ')));
}

}  // namespace calibench
