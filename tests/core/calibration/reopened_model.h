#pragma once

#include <filesystem>

#include <ATen/ATen.h>

#include "core/models/causal_lm.h"

namespace calibench::testing {

/// What a reader of the checkpoint computes, in the batches of the run.
inline at::Tensor reopened_logits(const std::filesystem::path& model_dir, const at::Tensor& ids, const ComputeOptions& options, int64_t batch_size) {
    const at::NoGradGuard no_grad;
    const auto model = CausalLm::open(model_dir, options);
    at::Tensor hidden = model->embed(ids).clone();
    for (int64_t index = 0; index < model->config().num_hidden_layers; ++index) {
        const auto block = model->load_block(index);
        for (at::Tensor batch : hidden.split(batch_size)) batch.copy_(block->forward(batch, {}));
    }
    return model->logits(hidden);
}

}  // namespace calibench::testing
