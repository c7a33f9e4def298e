#pragma once

#include <span>
#include <string>
#include <vector>

namespace calibench {

enum class AttentionBias {
    None,
    AsConfigured,  ///< q, k, v and o when config.json says attention_bias
    QkvAlways,
};

enum class WindowPattern {
    None,
    EveryBlock,   ///< sliding_window holds for all blocks
    LayerTypes,   ///< blocks whose layer_types entry is sliding_attention; without the list those from max_window_layers on
};

/// What tells one decoder family from another: one row of a table, so that a new family is data wherever it can be.
/// Module layout follows transformers (models/<model_type>/modeling_<model_type>.py).
struct Family {
    std::string model_type;    ///< "qwen3_moe"
    std::string architecture;  ///< "Qwen3MoeForCausalLM"
    std::string class_prefix;  ///< "Qwen3Moe", of Qwen3MoeRMSNorm and Qwen3MoeTopKRouter
    AttentionBias attention_bias = AttentionBias::None;
    bool mlp_bias_configurable = false;
    bool qk_norm = false;  ///< RMS norm over each head of q and k, before the rotation
    WindowPattern window = WindowPattern::None;
    bool window_needs_switch = false;  ///< only when config.json says use_sliding_window
    bool sparse = false;               ///< blocks may hold experts
};

[[nodiscard]] std::span<const Family> families();
/// By "LlamaForCausalLM"; null when unknown.
[[nodiscard]] const Family* find_family(const std::string& architecture);
/// The same for a name that read_model_config has accepted.
[[nodiscard]] const Family& family_of(const std::string& architecture);
[[nodiscard]] std::vector<std::string> supported_architectures();

}  // namespace calibench
