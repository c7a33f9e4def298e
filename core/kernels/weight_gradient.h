#pragma once

#include <ATen/core/Tensor.h>

namespace calibench {

/// d loss / d weight [out, in] of y = x weight^T from grad_y [tokens, out] and x [tokens, in]: the one product of three that LibTorch
/// computes at half the speed of the others, because both operands lie across it.
using WeightGradientKernel = at::Tensor (*)(const at::Tensor& grad_y, const at::Tensor& x);

/// Null where there is none for these.
[[nodiscard]] WeightGradientKernel weight_gradient_kernel(const at::Tensor& grad_y, const at::Tensor& x);

}  // namespace calibench
