#pragma once

#include <ATen/core/Tensor.h>

namespace calibench {

/// The softmax of causal attention in place, forward and backward. Scores [matrices, rows, seq], contiguous, float32 or bfloat16; rows
/// are queries in order, over again for each head that shares the keys: row r may see the first r % seq + 1 keys.
struct CausalSoftmaxKernels {
    /// scores -> softmax(scale * scores) over the keys that may be seen, 0 for the others.
    void (*forward)(at::Tensor& scores, double scale);
    /// grad (d loss / d probabilities) -> d loss / d scores.
    void (*backward)(const at::Tensor& probabilities, at::Tensor& grad, double scale);
};

/// Null where there are none for this device and dtype.
[[nodiscard]] const CausalSoftmaxKernels* causal_softmax_kernels(const at::Tensor& scores);

}  // namespace calibench
