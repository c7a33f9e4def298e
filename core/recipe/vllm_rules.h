#pragma once

#include <vector>

#include "core/recipe/recipe.h"

namespace calibench {

/// Who will serve the checkpoint.
struct ServingOptions {
    int64_t tensor_parallel = 1;  ///< GPUs that share every layer
    bool operator==(const ServingOptions&) const = default;
};

/// What vLLM would refuse when it loads the checkpoint this recipe makes, found before any work: fused projections with different
/// schemes, schemes no kernel serves, groups cut by tensor parallelism, KV cache scales (vllm/model_executor/layers/
/// quantization/compressed_tensors). Errors will not load; notes say which GPUs a scheme needs.
[[nodiscard]] std::vector<Diagnostic> check_vllm(const Recipe& recipe, const ResolvedRecipe& resolved, const ModelSummary& model,
                                                 const ServingOptions& options = {});

}  // namespace calibench
