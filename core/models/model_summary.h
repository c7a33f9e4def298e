#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace calibench {

/// One module whose weight is a matrix, as a tree shows it; norms are counted in the summary, not listed. No tensors: safe for the window.
struct ModuleInfo {
    std::string name;        ///< "model.layers.0.self_attn.q_proj"
    std::string class_name;  ///< what recipes target: Linear, Embedding; a router has its own ("Qwen3MoeTopKRouter")
    int block = -1;          ///< decoder block, -1 outside
    int expert = -1;         ///< expert within the block, -1 outside
    std::vector<int64_t> shape;  ///< of the weight: [out, in]
    std::string dtype;           ///< as stored, "BF16"
    int64_t num_parameters = 0;
    int64_t num_bytes = 0;       ///< as stored, scales and zero points included
    std::string scheme;          ///< "" or what a compressed checkpoint says, "W4 g64 sym"
};

struct ModelSummary {
    std::filesystem::path path;
    std::string architecture;
    std::string model_type;
    std::string dtype;
    int64_t num_blocks = 0;
    int64_t hidden_size = 0;
    int64_t vocab_size = 0;
    int64_t num_experts = 0;
    int64_t num_experts_per_tok = 0;
    int64_t max_position_embeddings = 0;
    bool tied_embeddings = false;
    int64_t num_parameters = 0;
    int64_t num_bytes = 0;
    std::string quantization_format;  ///< "" for a plain checkpoint
    std::vector<ModuleInfo> modules;  ///< in model order
};

/// Reads config.json and the safetensors headers only. Throws InputError listing everything that is wrong with the directory.
[[nodiscard]] ModelSummary inspect_model(const std::filesystem::path& model_dir);
[[nodiscard]] nlohmann::json to_json(const ModelSummary& summary);

}  // namespace calibench
