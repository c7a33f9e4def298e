#pragma once

#include <ATen/core/Tensor.h>

namespace calibench {

/// mean((output - target)^2) in float32 over the rows that `mask` keeps, and `factor` times its gradient by `output`, in one pass.
/// output, target and gradient are contiguous tensors of one dtype, [..., features]; mask is bool or undefined (every row counts)
/// with one element per row.
using BlockLossKernel = double (*)(const at::Tensor& output, const at::Tensor& target, const at::Tensor& mask, double factor, at::Tensor& gradient);

/// Null where there is none for this device and dtype.
[[nodiscard]] BlockLossKernel block_loss_kernel(const at::Tensor& output);

}  // namespace calibench
