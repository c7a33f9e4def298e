#pragma once

#include <ATen/core/Tensor.h>

namespace calibench {

/// RMSNorm over the last dimension, forward and backward, one pass each and no temporaries. All contiguous and of one dtype, float32
/// or bfloat16; inside, float32. The forward rounds where LlamaRMSNorm in transformers does.
struct RmsNormKernels {
    /// y = weight * round(x * inverse_rms); inverse_rms float32 [rows] = 1 / sqrt(mean(x^2) + eps).
    void (*forward)(const at::Tensor& x, const at::Tensor& weight, double eps, at::Tensor& y, at::Tensor& inverse_rms);
    /// d loss / d x from d loss / d y; the weight is frozen.
    void (*backward)(const at::Tensor& grad_y, const at::Tensor& x, const at::Tensor& weight, const at::Tensor& inverse_rms, at::Tensor& grad_x);
};

/// Null where there are none for this device and dtype.
[[nodiscard]] const RmsNormKernels* rms_norm_kernels(const at::Tensor& x, const at::Tensor& weight);

}  // namespace calibench
