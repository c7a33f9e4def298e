#pragma once

#include <ATen/core/Tensor.h>

namespace calibench {

/// silu(gate) * up, forward and backward in one pass each. All tensors of one shape and dtype, float32 or bfloat16, contiguous;
/// inside, float32.
struct SwigluKernels {
    void (*forward)(const at::Tensor& gate, const at::Tensor& up, at::Tensor& y);
    void (*backward)(const at::Tensor& grad_y, const at::Tensor& gate, const at::Tensor& up, at::Tensor& grad_gate, at::Tensor& grad_up);
};

/// Null where there are none for this device and dtype.
[[nodiscard]] const SwigluKernels* swiglu_kernels(const at::Tensor& gate, const at::Tensor& up);

}  // namespace calibench
