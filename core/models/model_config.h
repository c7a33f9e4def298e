#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/quantization/quantization_scheme.h"

namespace calibench {

struct RopeParameters {
    std::string rope_type = "default";  ///< default | linear | llama3
    double rope_theta = 10000.0;
    double factor = 1.0;
    double low_freq_factor = 1.0;
    double high_freq_factor = 4.0;
    int64_t original_max_position_embeddings = 8192;
};

/// config.json of a Hugging Face directory, old and new spellings read alike (rope_theta + rope_scaling or rope_parameters,
/// torch_dtype or dtype, num_experts or num_local_experts).
struct ModelConfig {
    std::string model_type;    ///< "llama"
    std::string architecture;  ///< "LlamaForCausalLM"
    DType dtype = DType::Float32;
    int64_t hidden_size = 0;
    int64_t intermediate_size = 0;
    int64_t num_hidden_layers = 0;
    int64_t num_attention_heads = 0;
    int64_t num_key_value_heads = 0;
    int64_t head_dim = 0;
    int64_t vocab_size = 0;
    int64_t max_position_embeddings = 0;
    double rms_norm_eps = 1e-6;
    std::string hidden_act = "silu";
    bool attention_bias = false;  ///< q, k, v (and o where the family has it)
    bool mlp_bias = false;
    bool tie_word_embeddings = false;
    RopeParameters rope;
    std::vector<std::optional<int64_t>> sliding_window;  ///< per block; empty: full attention everywhere
    int64_t num_experts = 0;  ///< 0: dense
    int64_t num_experts_per_tok = 0;
    int64_t moe_intermediate_size = 0;
    bool norm_topk_prob = false;
    std::vector<bool> sparse_block;  ///< per block: has experts
    std::optional<QuantizationConfig> quantization;  ///< of a compressed checkpoint
    nlohmann::json raw;  ///< config.json as read
};

/// Throws InputError naming the file and the key: unreadable, not JSON, a missing or impossible value, an unknown architecture.
[[nodiscard]] ModelConfig read_model_config(const std::filesystem::path& model_dir);

}  // namespace calibench
