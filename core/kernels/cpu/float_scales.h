#pragma once

#include <ATen/core/Tensor.h>

namespace calibench {

// Scales of float4 and float8 groups from their finite ranges, in one pass over memory: the bits of what calculate_qparams() does by tensor
// operations. min and max are float32 or bfloat16, on the CPU and of one shape, which becomes the result's.

/// Scales that are kept as float8 (e4m3) below a global scale, as NVFP4 has them: float32, each a value of float8. `most`: the largest level.
[[nodiscard]] at::Tensor float8_scales_of_ranges(const at::Tensor& min, const at::Tensor& max, float most, float global_scale);

/// Scales that are kept as powers of two, as MX types have them, in the ranges' dtype. `offset`: the exponent of the largest level.
[[nodiscard]] at::Tensor binary_scales_of_ranges(const at::Tensor& min, const at::Tensor& max, int offset);

}  // namespace calibench
