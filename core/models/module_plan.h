#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/models/model_config.h"

namespace calibench {

/// One module that holds weights, as the architecture defines it: what loading, checking and listing a model all go by.
struct ModuleSpec {
    std::string name;        ///< "model.layers.0.mlp.experts.5.gate_proj"
    std::string class_name;  ///< as in transformers: "Linear", "Embedding", "Qwen3RMSNorm", "Qwen3MoeTopKRouter"
    std::vector<int64_t> weight_shape;  ///< [out, in], [rows, columns] or [size]
    bool bias = false;
    int block = -1;   ///< -1 outside the blocks
    int expert = -1;  ///< -1 outside the experts

    [[nodiscard]] bool is_norm() const { return weight_shape.size() == 1; }
};

[[nodiscard]] std::string block_name(int64_t index);  ///< "model.layers.3"
/// The modules of one decoder block, in transformers' order.
[[nodiscard]] std::vector<ModuleSpec> block_modules(const ModelConfig& config, int64_t index);
[[nodiscard]] ModuleSpec embedding_module(const ModelConfig& config);
[[nodiscard]] ModuleSpec final_norm_module(const ModelConfig& config);
[[nodiscard]] ModuleSpec head_module(const ModelConfig& config);

/// The tensor that holds all experts of a block, where a checkpoint keeps them as transformers does in memory:
/// experts.gate_up_proj [experts, 2 * intermediate, hidden] and experts.down_proj [experts, hidden, intermediate].
struct FusedExpertTensor {
    std::string name;
    std::vector<int64_t> shape;
    int64_t first_row = 0;  ///< of the module's weight within its expert's matrix
};
/// Only for a spec with an expert.
[[nodiscard]] FusedExpertTensor fused_expert_tensor(const ModelConfig& config, const ModuleSpec& spec);

}  // namespace calibench
