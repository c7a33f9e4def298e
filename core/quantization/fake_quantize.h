#pragma once

#include <optional>

#include "core/quantization/qparams.h"

namespace calibench {

// compressed_tensors/quantization/lifecycle/forward.py: the same order of operations and dtypes, so the same bits.
// q = clamp(round(x / (scale / global_scale)) + zero_point); round half to even.

// g_idx [columns], group strategies only: the group of each column in older checkpoints (activation ordering); it is ignored
// when it holds -1. Shapes that do not fit throw InputError.

/// The quantized values, in x's dtype unless `dtype` is given (int8 for storage).
[[nodiscard]] at::Tensor quantize(const at::Tensor& x, const QParams& qparams, const QuantizationArgs& args,
                                  std::optional<at::ScalarType> dtype = {}, const at::Tensor& g_idx = {});

/// (q - zero_point) * scale / global_scale, in `dtype` or the scale's dtype.
[[nodiscard]] at::Tensor dequantize(const at::Tensor& q, const QParams& qparams, const QuantizationArgs& args,
                                    std::optional<at::ScalarType> dtype = {}, const at::Tensor& g_idx = {});

/// quantize then dequantize, in the scale's dtype (x's dtype for group strategies).
[[nodiscard]] at::Tensor fake_quantize(const at::Tensor& x, const QParams& qparams, const QuantizationArgs& args,
                                       const at::Tensor& g_idx = {});

/// The nearest fp4 e2m1 value of each element, ties to even, in x's dtype; a negative value that rounds to zero gives -0.0.
[[nodiscard]] at::Tensor cast_to_fp4(const at::Tensor& x);

/// Scales of a dynamic (or the local part of a "local") activation scheme for this very input.
[[nodiscard]] ScaleAndZeroPoint compute_dynamic_qparams(const at::Tensor& x, const QuantizationArgs& args,
                                                        const at::Tensor& global_scale = {});

}  // namespace calibench
