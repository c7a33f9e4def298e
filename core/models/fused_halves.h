#pragma once

#include <optional>

#include <ATen/core/Tensor.h>

#include "core/kernels/gated_mlp.h"
#include "core/kernels/self_attention.h"

namespace calibench {

// The two halves of a decoder block, each one node of autograd with a backward written by hand. Their norms and angles are frozen:
// they get no gradient.

/// x + mlp(rms_norm(x)), or nothing where core/kernels has no kernels for these.
[[nodiscard]] std::optional<at::Tensor> fused_mlp_half(const GatedMlpWeights& weights, const at::Tensor& x);
/// The same without gradients: the inputs of its projections pass through taps on their way.
[[nodiscard]] std::optional<at::Tensor> fused_mlp_half(const GatedMlpWeights& weights, const at::Tensor& x, const GatedMlpTaps& taps);
/// x + attention(rms_norm(x)), causal, x [batch, seq, hidden]; or nothing where core/kernels has no kernels for these.
[[nodiscard]] std::optional<at::Tensor> fused_attention_half(const SelfAttentionWeights& weights, const at::Tensor& x);
[[nodiscard]] std::optional<at::Tensor> fused_attention_half(const SelfAttentionWeights& weights, const at::Tensor& x, const SelfAttentionTaps& taps);

}  // namespace calibench
