#pragma once

#include <ATen/core/Tensor.h>

namespace calibench {

// The softmax of causal attention in place, forward and backward. Scores [matrices, rows, seq], contiguous, float32 or bfloat16, on the
// CPU; rows are queries in order, over again for each head that shares the keys: row r may see the first r % seq + 1 keys.

[[nodiscard]] bool causal_softmax_kernel_takes(const at::Tensor& scores);

/// scores -> softmax(scale * scores) over the keys that may be seen, 0 for the others.
void causal_softmax_forward(at::Tensor& scores, double scale);
/// grad (d loss / d probabilities) -> d loss / d scores.
void causal_softmax_backward(const at::Tensor& probabilities, at::Tensor& grad, double scale);

}  // namespace calibench
