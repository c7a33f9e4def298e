#pragma once

#include <ATen/core/Tensor.h>

#include "core/models/rotary.h"

namespace calibench {

// The parts of a decoder block, each with a backward of its own where core/kernels has one for the tensors at
// hand, as plain tensor operations otherwise. Weights of norms are frozen: they get no gradient.

/// x weight^T + bias; bias may be undefined.
[[nodiscard]] at::Tensor fused_linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias);

/// x * rsqrt(mean(x^2) + eps) * weight, the mean in float32 (LlamaRMSNorm).
[[nodiscard]] at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps);

/// silu(gate) * up.
[[nodiscard]] at::Tensor swiglu(const at::Tensor& gate, const at::Tensor& up);

/// Whether causal_attention takes states of this shape: bfloat16 on a device with kernels, sequences short enough for a matrix of scores.
[[nodiscard]] bool causal_attention_takes(const at::Tensor& query, const at::Tensor& key, const RotaryEmbedding::Angles& angles);
/// Rotary positions, then causal attention by batched matrix products; heads that share keys are rows of one product. query
/// [batch, seq, heads, head_dim], key and value [batch, seq, key_value_heads, head_dim] -> [batch, seq, heads * head_dim].
[[nodiscard]] at::Tensor causal_attention(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                                          const RotaryEmbedding::Angles& angles);

}  // namespace calibench
