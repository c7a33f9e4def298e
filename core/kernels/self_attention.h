#pragma once

#include <ATen/core/Tensor.h>

#include "core/kernels/projection_input.h"

namespace calibench {

/// The first half of a decoder block, y = x + output(attention(query(n), key(n), value(n))) with n = rms_norm(x): causal, with rotary
/// positions and shared key/value heads, all of it bfloat16.
struct SelfAttentionWeights {
    at::Tensor norm;                              ///< [hidden]
    at::Tensor query, key, value;                 ///< [heads * head_dim, hidden], key and value [groups * head_dim, hidden]
    at::Tensor output;                            ///< [hidden, heads * head_dim]
    at::Tensor cos, sin;                          ///< [1 or batch, 1, seq, head_dim], both halves alike
    int64_t head_dim = 0;
    double eps = 1e-6;
    at::Tensor query_bias, key_bias, value_bias;  ///< frozen; undefined: none
};

/// What the forward leaves for the backward, in layouts of the kernels' own.
struct SelfAttentionStates {
    at::Tensor inverse_rms;        ///< float32 [tokens]
    at::Tensor normed, mixed;      ///< the inputs of query, key and value, and of output
    at::Tensor query, key, value;  ///< [batch, heads or groups, seq, head_dim], rotated
    at::Tensor probabilities;      ///< [batch, heads, seq, seq], written where a key may be seen
};

struct SelfAttentionGradients {
    at::Tensor x;  ///< written where defined, as all of them
    at::Tensor query, key, value, output;
};

/// What is done with the inputs of its projections: query, key and value take in one tensor.
struct SelfAttentionTaps {
    ProjectionInput query, key, value, output;
};

/// Forward and backward in a few passes: products of some tokens, or of the heads that share keys, after another while they are in the
/// cache. Scores that the causal rule hides are not computed.
struct SelfAttentionKernels {
    /// x, y [batch, seq, hidden], contiguous. `states` null: nothing is kept.
    void (*forward)(const SelfAttentionWeights& weights, const at::Tensor& x, at::Tensor& y, SelfAttentionStates* states);
    /// To the same bits where the taps change nothing.
    void (*tapped_forward)(const SelfAttentionWeights& weights, const at::Tensor& x, const SelfAttentionTaps& taps, at::Tensor& y);
    void (*backward)(const SelfAttentionWeights& weights, const at::Tensor& x, const SelfAttentionStates& states, const at::Tensor& grad_y,
                     SelfAttentionGradients& gradients);
};

/// Null where there are none for these.
[[nodiscard]] const SelfAttentionKernels* self_attention_kernels(const SelfAttentionWeights& weights, const at::Tensor& x);

}  // namespace calibench
