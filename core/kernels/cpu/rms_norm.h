#pragma once

#include <ATen/core/Tensor.h>

namespace calibench {

// RMSNorm over the last dimension, forward and backward, one pass each and no temporaries. float32 or bfloat16, contiguous, on the
// CPU; inside, float32. The forward rounds where LlamaRMSNorm in transformers does.

[[nodiscard]] bool rms_norm_kernel_takes(const at::Tensor& x, const at::Tensor& weight);

/// y = weight * round(x * inverse_rms); inverse_rms float32 [rows] = 1 / sqrt(mean(x^2) + eps).
void rms_norm_forward(const at::Tensor& x, const at::Tensor& weight, double eps, at::Tensor& y, at::Tensor& inverse_rms);
/// d loss / d x from d loss / d y; the weight is frozen.
void rms_norm_backward(const at::Tensor& grad_y, const at::Tensor& x, const at::Tensor& weight, const at::Tensor& inverse_rms, at::Tensor& grad_x);

}  // namespace calibench
