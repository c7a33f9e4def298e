#pragma once

#include <ATen/core/Tensor.h>

namespace calibench {

/// Rotary positions applied while heads move before positions, in one pass. All contiguous and of one dtype, float32 or bfloat16;
/// inside, float32, rounded where the model's own operations round (x * cos + rotate_half(x) * sin). cos and sin are
/// [1 or batch, 1, seq, head_dim], both halves alike.
struct RotaryKernels {
    /// x [batch, seq, heads, head_dim] -> result [batch, heads, seq, head_dim].
    void (*forward)(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin, at::Tensor& result);
    /// grad [batch, heads, seq, head_dim] -> grad_x [batch, seq, heads, head_dim].
    void (*backward)(const at::Tensor& grad, const at::Tensor& cos, const at::Tensor& sin, at::Tensor& grad_x);
};

/// Null where there are none for these: x [batch, seq, heads, head_dim].
[[nodiscard]] const RotaryKernels* rotary_kernels(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin);

}  // namespace calibench
