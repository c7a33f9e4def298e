#pragma once

#include <ATen/core/Tensor.h>

namespace calibench {

/// mean((output - target)^2) in float32 over the rows that `mask` keeps, and `factor` times its gradient by `output`, in one pass.
/// output, target and gradient are contiguous CPU tensors of one dtype, float32 or bfloat16, [..., features]; mask is bool or
/// undefined (every row counts) with one element per row.
[[nodiscard]] double block_loss(const at::Tensor& output, const at::Tensor& target, const at::Tensor& mask, double factor,
                                at::Tensor& gradient);

[[nodiscard]] bool block_loss_kernel_takes(const at::Tensor& output);

}  // namespace calibench
