#pragma once

#include <ATen/core/Tensor.h>

namespace calibench {

/// Scales of consecutive values: the first values.numel() / scale.numel() of them share scale[0], the next ones scale[1], and so on.
struct RunScales {
    at::Tensor scale;       ///< float32 or bfloat16, on the CPU
    at::Tensor zero_point;  ///< of as many elements; undefined: none
};

/// Whole numbers that fit an int8.
struct IntegerLevels {
    float low = -8, high = 7;
};

/// Scales and int8 zero points of finite ranges, both in one pass: what calculate_qparams() does for integers, in the ranges' dtype,
/// float32 or bfloat16. min and max on the CPU and of one shape, which becomes the result's.
[[nodiscard]] RunScales scales_of_ranges(const at::Tensor& min, const at::Tensor& max, IntegerLevels levels, bool symmetric);

// Fake quantization in one pass over memory on all threads. Every intermediate result is rounded to the scale's dtype, so that the
// bits are those of the tensor operations: divide, add the zero point, clamp, round to even, take the zero point off, multiply.

/// Whether values of this dtype, with these scales, have such a loop.
[[nodiscard]] bool has_rounding_loop(const at::Tensor& values, const RunScales& scales);

/// int8 levels of float32 or bfloat16 values, of the scale's dtype.
[[nodiscard]] at::Tensor quantize_runs(const at::Tensor& values, const RunScales& scales, IntegerLevels levels);
/// What int8 levels stand for, in the scale's dtype.
[[nodiscard]] at::Tensor dequantize_runs(const at::Tensor& levels, const RunScales& scales);
/// The one behind the other, without the levels in between.
[[nodiscard]] at::Tensor fake_quantize_runs(const at::Tensor& values, const RunScales& scales, IntegerLevels levels);

}  // namespace calibench
