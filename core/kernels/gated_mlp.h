#pragma once

#include <ATen/core/Tensor.h>

namespace calibench {

/// The second half of a decoder block, y = x + down(silu(gate(n)) * up(n)) with n = rms_norm(x), all of it bfloat16.
struct GatedMlpWeights {
    at::Tensor norm;      ///< [hidden]
    at::Tensor gate, up;  ///< [intermediate, hidden]
    at::Tensor down;      ///< [hidden, intermediate]
    double eps = 1e-6;
};

/// What the forward leaves for the backward, in layouts of the kernels' own.
struct GatedMlpStates {
    at::Tensor inverse_rms;        ///< float32 [tokens]
    at::Tensor normed, activated;  ///< the inputs of gate and up, and of down
    at::Tensor slopes;             ///< d activated / d gate and d activated / d up
};

struct GatedMlpGradients {
    at::Tensor x;
    at::Tensor gate, up, down;  ///< written where defined
};

/// Forward and backward in a few passes: products, norm, activation and residual of some tokens after another while they are in the
/// cache. Every rounding to bfloat16 of the unfused operations stays, but for gradients between them.
struct GatedMlpKernels {
    /// x, y [tokens, hidden], contiguous. `states` null: nothing is kept.
    void (*forward)(const GatedMlpWeights& weights, const at::Tensor& x, at::Tensor& y, GatedMlpStates* states);
    void (*backward)(const GatedMlpWeights& weights, const at::Tensor& x, const GatedMlpStates& states, const at::Tensor& grad_y,
                     GatedMlpGradients& gradients);
};

/// Null where there are none for these.
[[nodiscard]] const GatedMlpKernels* gated_mlp_kernels(const GatedMlpWeights& weights, const at::Tensor& x);

}  // namespace calibench
