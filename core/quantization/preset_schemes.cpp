// The presets of compressed_tensors/quantization/quant_scheme.py.

#include <algorithm>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/quantization/auto_round_presets.h"
#include "core/quantization/quantization_scheme.h"

namespace calibench {

namespace {

struct Preset {
    std::string name;
    std::optional<QuantizationArgs> weights;
    std::optional<QuantizationArgs> input_activations;
};

QuantizationArgs args(QuantizationType type, int num_bits, Strategy strategy, std::optional<int64_t> group_size = {}) {
    QuantizationArgs made;
    made.type = type;
    made.num_bits = num_bits;
    made.strategy = strategy;
    made.group_size = group_size;
    return made;
}

QuantizationArgs integer(int num_bits, Strategy strategy, std::optional<int64_t> group_size = {}) {
    return resolve_defaults(args(QuantizationType::Int, num_bits, strategy, group_size));
}

QuantizationArgs fp8(Strategy strategy) { return resolve_defaults(args(QuantizationType::Float, 8, strategy)); }

QuantizationArgs dynamic(QuantizationType type, int num_bits, Strategy strategy, std::optional<int64_t> group_size = {}) {
    QuantizationArgs made = args(type, num_bits, strategy, group_size);
    made.dynamic = Dynamic::Yes;
    return resolve_defaults(std::move(made));
}

QuantizationArgs asymmetric(QuantizationArgs made) {
    made.symmetric = false;
    return made;
}

QuantizationArgs static_min_max(QuantizationArgs made) {
    made.observer = "static_minmax";
    return made;
}

QuantizationArgs fp8_block_weight() {
    QuantizationArgs made = args(QuantizationType::Float, 8, Strategy::Block);
    made.block_structure = {128, 128};
    return resolve_defaults(std::move(made));
}

QuantizationArgs nvfp4(Dynamic dynamic = Dynamic::No) {
    QuantizationArgs made = args(QuantizationType::Float, 4, Strategy::TensorGroup, 16);
    made.dynamic = dynamic;
    made.scale_dtype = made.zp_dtype = DType::Float8E4M3;
    return made;
}

QuantizationArgs mxfp(int num_bits, Dynamic dynamic = Dynamic::No) {
    QuantizationArgs made = args(QuantizationType::Float, num_bits, Strategy::Group, 32);
    made.dynamic = dynamic;
    made.scale_dtype = made.zp_dtype = DType::UInt8;
    return made;
}

std::vector<Preset> make_presets() {
    const auto Float = QuantizationType::Float;
    const auto Int = QuantizationType::Int;
    const QuantizationArgs w8 = integer(8, Strategy::Channel);
    const QuantizationArgs a8 = dynamic(Int, 8, Strategy::Token);
    const QuantizationArgs fp8_token = dynamic(Float, 8, Strategy::Token);
    std::vector<Preset> presets = {
        {"UNQUANTIZED", {}, {}},
        {"W4A16_ASYM", asymmetric(integer(4, Strategy::Group, 128)), {}},
        {"W8A8", w8, a8},
        {"INT8", w8, a8},
        {"W4AFP8", integer(4, Strategy::Group, 128), fp8_token},
        {"FP8", fp8(Strategy::Tensor), static_min_max(fp8(Strategy::Tensor))},
        {"FP8_DYNAMIC", fp8(Strategy::Channel), fp8_token},
        {"FP8_BLOCK", fp8_block_weight(), dynamic(Float, 8, Strategy::Group, 128)},
        {"NVFP4A16", nvfp4(), {}},
        {"NVFP4", nvfp4(), static_min_max(nvfp4(Dynamic::Local))},
        {"MXFP4A16", mxfp(4), {}},
        {"MXFP4", mxfp(4), mxfp(4, Dynamic::Yes)},
        {"MXFP8A16", mxfp(8), {}},
        {"MXFP8", mxfp(8), mxfp(8, Dynamic::Yes)},
    };
    for (const int weight_bits : {2, 3, 4, 5, 6, 7, 8}) {
        for (const int activation_bits : {4, 8, 16}) {
            if (weight_bits > activation_bits || (weight_bits == 8 && activation_bits == 8)) continue;  // W8A8 is per channel
            Preset preset{concat("W", weight_bits, "A", activation_bits), integer(weight_bits, Strategy::Group, 128), {}};
            if (activation_bits < 16) preset.input_activations = dynamic(Int, activation_bits, Strategy::Token);
            presets.push_back(std::move(preset));
        }
    }
    return presets;
}

const std::vector<Preset>& presets() {
    static const std::vector<Preset> all = make_presets();
    return all;
}

}  // namespace

const std::vector<std::string>& preset_scheme_names() {
    static const std::vector<std::string> names = [] {
        std::vector<std::string> list;
        for (const Preset& preset : presets()) list.push_back(preset.name);
        return list;
    }();
    return names;
}

QuantizationScheme preset_scheme(const std::string& name, std::vector<std::string> targets) {
    std::string upper = name;
    std::transform(upper.begin(), upper.end(), upper.begin(), [](unsigned char c) { return char(std::toupper(c)); });
    for (const Preset& preset : presets())
        if (preset.name == upper) return {std::move(targets), preset.weights, preset.input_activations, {}, {}};
    if (const AutoRoundPreset* foreign = find_auto_round_preset(upper)) throw InputError(explain(*foreign));
    const std::string near = closest_match(upper, preset_scheme_names());
    throw InputError(concat("Unknown preset scheme name ", upper, near.empty() ? "" : " (did you mean " + near + "?)",
                            ", available names: ", list_names(preset_scheme_names(), preset_scheme_names().size())));
}

}  // namespace calibench
