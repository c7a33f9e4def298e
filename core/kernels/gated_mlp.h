#pragma once

#include <ATen/core/Tensor.h>

#include "core/kernels/projection_input.h"

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

/// What is done with the inputs of its projections: gate and up take in one tensor.
struct GatedMlpTaps {
    ProjectionInput gate, up, down;
};

/// Forward and backward in a few passes: products, norm, activation and residual of some tokens after another while they are in the
/// cache. Every rounding to bfloat16 of the unfused operations stays, but for gradients between them.
struct GatedMlpKernels {
    /// x, y [tokens, hidden], contiguous. `states` null: nothing is kept.
    void (*forward)(const GatedMlpWeights& weights, const at::Tensor& x, at::Tensor& y, GatedMlpStates* states);
    /// To the same bits where the taps change nothing.
    void (*tapped_forward)(const GatedMlpWeights& weights, const at::Tensor& x, const GatedMlpTaps& taps, at::Tensor& y);
    void (*backward)(const GatedMlpWeights& weights, const at::Tensor& x, const GatedMlpStates& states, const at::Tensor& grad_y,
                     GatedMlpGradients& gradients);
};

/// Null where there are none for these.
[[nodiscard]] const GatedMlpKernels* gated_mlp_kernels(const GatedMlpWeights& weights, const at::Tensor& x);

}  // namespace calibench
