#pragma once

#include <ATen/core/Tensor.h>

namespace calibench {

/// The values that a quantized number can take: whole numbers, or floats of few mantissa bits (fp8 e4m3: 3 and -6, fp4 e2m1: 1 and 0).
struct QuantizedLevels {
    double low = -8, high = 7;
    bool are_floats = false;
    int mantissa_bits = 0;
    int least_exponent = 0;
};

/// How an error counts: |error|^norm, summed over a group.
struct ErrorNorm {
    double exponent = 2.0;
    bool in_float32 = false;  ///< take the error in float32; else in x's dtype, as tensor operations would
    at::Tensor weights;       ///< float32 [columns], with in_float32 and rows of so many: each column's factor; undefined: 1
};

/// Whether group_quantization_errors() takes this tensor; elsewhere the same is computed with tensor operations.
[[nodiscard]] bool has_group_errors_kernel(const at::Tensor& x);

/// What quantizing and dequantizing would cost each group of x (num_observations, *qparam_shape, group_size), for several
/// candidates of its scale: sum |dequantize(quantize(x)) - x|^exponent, without a temporary of x's size. Every intermediate
/// result is rounded to x's dtype. scales and zero_points (undefined: none): [candidates, *qparam_shape]. Result: float32 of that shape.
[[nodiscard]] at::Tensor group_quantization_errors(const at::Tensor& x, const at::Tensor& scales, const at::Tensor& zero_points,
                                                   const QuantizedLevels& levels, const ErrorNorm& norm);

}  // namespace calibench
