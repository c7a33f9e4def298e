#pragma once

#include <ATen/core/Tensor.h>

namespace calibench {

// silu(gate) * up, forward and backward in one pass each. All tensors of one shape and dtype, float32 or bfloat16, contiguous, on the
// CPU; inside, float32.

[[nodiscard]] bool swiglu_kernel_takes(const at::Tensor& gate, const at::Tensor& up);

void swiglu_forward(const at::Tensor& gate, const at::Tensor& up, at::Tensor& y);
void swiglu_backward(const at::Tensor& grad_y, const at::Tensor& gate, const at::Tensor& up, at::Tensor& grad_gate, at::Tensor& grad_up);

}  // namespace calibench
