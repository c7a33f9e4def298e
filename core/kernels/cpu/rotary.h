#pragma once

#include <ATen/core/Tensor.h>

namespace calibench {

// Rotary positions applied while heads move before positions, in one pass. float32 or bfloat16 on the CPU; inside, float32, rounded
// where the model's own operations round (x * cos + rotate_half(x) * sin).

/// x [batch, seq, heads, head_dim]; cos, sin [1 or batch, 1, seq, head_dim], both halves alike, of x's dtype.
[[nodiscard]] bool rotary_kernel_takes(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin);

/// x -> result [batch, heads, seq, head_dim]; both contiguous.
void rotary_forward(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin, at::Tensor& result);
/// grad [batch, heads, seq, head_dim] -> grad_x [batch, seq, heads, head_dim]; both contiguous.
void rotary_backward(const at::Tensor& grad, const at::Tensor& cos, const at::Tensor& sin, at::Tensor& grad_x);

}  // namespace calibench
