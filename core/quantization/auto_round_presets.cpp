#include "core/quantization/auto_round_presets.h"

#include <algorithm>

#include "core/base/text.h"

namespace calibench {

namespace {

AutoRoundPreset weights(std::string name, int bits, std::vector<int64_t> group_size, bool sym = true, std::string data_type = "int") {
    AutoRoundPreset preset;
    preset.name = std::move(name);
    preset.bits = bits;
    preset.group_size = std::move(group_size);
    preset.sym = sym;
    preset.data_type = std::move(data_type);
    return preset;
}

AutoRoundPreset activations(AutoRoundPreset preset, std::string data_type, int64_t group_size, bool dynamic = true) {
    preset.act_bits = preset.bits;
    preset.act_data_type = std::move(data_type);
    preset.act_group_size = group_size;
    preset.act_sym = true;
    preset.act_dynamic = dynamic;
    return preset;
}

AutoRoundPreset same_for_activations(std::string name, int bits, int64_t group_size, const std::string& data_type) {
    return activations(weights(std::move(name), bits, {group_size}, true, data_type), data_type, group_size);
}

AutoRoundPreset unquantized_float_activations(AutoRoundPreset preset) {
    preset.act_data_type = "fp";
    return preset;
}

/// GGUF k-quants: the scales of super_group_size groups have super_bits bits.
AutoRoundPreset k_quant(const char* name, int bits, int64_t group_size, bool sym, int super_bits, int super_group_size) {
    AutoRoundPreset preset = weights(name, bits, {group_size}, sym, sym ? "int_sym_dq" : "int_asym_dq");
    preset.super_bits = super_bits;
    preset.super_group_size = super_group_size;
    return preset;
}

std::vector<AutoRoundPreset> make_presets() {
    std::vector<AutoRoundPreset> presets;
    for (const int bits : {2, 3, 4, 5, 6, 8}) presets.push_back(weights(concat("W", bits, "A16"), bits, {128}));
    presets.insert(presets.end(), {
        weights("W4A16_MIXED", 4, {128}),
        weights("W2A16G64", 2, {64}),
        weights("W2A16G32", 2, {32}),
        same_for_activations("INT4", 4, -1, "int"),
        same_for_activations("INT8", 8, -1, "int"),
        same_for_activations("INT8_W8A8", 8, -1, "int"),
        same_for_activations("MXINT4", 4, 32, "mx_int"),
        same_for_activations("MXFP4", 4, 32, "mx_fp"),
        same_for_activations("MXFP6", 6, 32, "mx_fp"),
        same_for_activations("MXFP8", 8, 32, "mx_fp"),
        activations(weights("MXFP4_RCEIL", 4, {32}, true, "mx_fp"), "mx_fp_rceil", 32),
        activations(weights("MXFP8_RCEIL", 8, {32}, true, "mx_fp"), "mx_fp_rceil", 32),
        activations(weights("NVFP4", 4, {16}, true, "nv_fp"), "nv_fp4_with_static_gs", 16),
        activations(weights("FP8_STATIC", 8, {-1}, true, "fp"), "fp", 0, /*dynamic=*/false),
        activations(weights("FP8_BLOCK", 8, {128, 128}, true, "fp"), "fp", 128),
        unquantized_float_activations(weights("FPW8A16", 8, {0}, true, "fp")),
        unquantized_float_activations(weights("BF16", 16, {128}, true, "fp")),
        weights("GGUF:Q4_0", 4, {32}),
        weights("GGUF:Q4_1", 4, {32}, false, "int_asym_float_zp"),
        weights("GGUF:Q5_0", 5, {32}),
        weights("GGUF:Q5_1", 5, {32}, false, "int_asym_float_zp"),
        weights("GGUF:Q8_0", 8, {32}),
        k_quant("GGUF:Q2_K_S", 2, 16, false, 4, 16),
        k_quant("GGUF:Q2_K_MIXED", 2, 16, false, 4, 16),
        k_quant("GGUF:Q3_K_S", 3, 16, true, 6, 16),
        k_quant("GGUF:Q3_K_M", 3, 16, true, 6, 16),
        k_quant("GGUF:Q3_K_L", 3, 16, true, 6, 16),
        k_quant("GGUF:Q4_K_S", 4, 32, false, 6, 8),
        k_quant("GGUF:Q4_K_M", 4, 32, false, 6, 8),
        k_quant("GGUF:Q5_K_S", 5, 32, false, 6, 8),
        k_quant("GGUF:Q5_K_M", 5, 32, false, 6, 8),
        k_quant("GGUF:Q6_K", 6, 16, true, 8, 16),
    });
    return presets;
}

/// "strategy: group, group_size: 64", "strategy: block, block_structure: [128, 128]"
std::string strategy_of(const AutoRoundPreset& preset) {
    const std::vector<int64_t>& size = preset.group_size;
    if (size.size() == 2) return concat("strategy: block, block_structure: [", size[0], ", ", size[1], "]");
    if (size[0] > 0) return concat("strategy: group, group_size: ", size[0]);
    return size[0] < 0 ? "strategy: channel" : "strategy: tensor";
}

}  // namespace

const AutoRoundPreset* find_auto_round_preset(const std::string& name) {
    static const std::vector<AutoRoundPreset> presets = make_presets();
    const auto found = std::find_if(presets.begin(), presets.end(), [&](const AutoRoundPreset& preset) { return preset.name == name; });
    return found == presets.end() ? nullptr : &*found;
}

std::string explain(const AutoRoundPreset& preset) {
    const std::string origin = preset.name + " is a preset of auto-round, not of compressed-tensors";
    const bool is_int = preset.data_type == "int";
    if (preset.bits > 8 || (!is_int && preset.data_type != "fp"))
        return concat(origin, ", which cannot store its data type ", preset.data_type, " with ", preset.bits, " bits");
    std::string text = concat(origin, "; write config_groups with weights: {num_bits: ", preset.bits, ", type: ",
                              is_int ? "int" : "float", ", symmetric: ", preset.sym ? "true" : "false", ", ", strategy_of(preset), "}");
    if (preset.act_bits < 16) text += concat(" and input_activations of ", preset.act_bits, " bits");
    return text;
}

}  // namespace calibench
