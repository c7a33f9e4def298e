#pragma once

#include <optional>

#include "core/quantization/qparams.h"

namespace calibench {

// compressed_tensors/quantization/lifecycle/forward.py: the same order of operations and dtypes, so the same bits.
// q = clamp(round(x / (scale / global_scale)) + zero_point); round half to even.

/// The quantized values, in x's dtype unless `dtype` is given (int8 for storage).
[[nodiscard]] at::Tensor quantize(const at::Tensor& x, const QParams& qparams, const QuantizationArgs& args,
                                  std::optional<at::ScalarType> dtype = {}, const at::Tensor& g_idx = {});

/// (q - zero_point) * scale / global_scale, in `dtype` or the scale's dtype. `args` may be absent: the strategy then
/// follows from the scale's shape, as the reference infers it.
[[nodiscard]] at::Tensor dequantize(const at::Tensor& q, const QParams& qparams,
                                    const QuantizationArgs* args = nullptr,
                                    std::optional<at::ScalarType> dtype = {}, const at::Tensor& g_idx = {});

/// quantize then dequantize, in x's dtype.
[[nodiscard]] at::Tensor fake_quantize(const at::Tensor& x, const QParams& qparams, const QuantizationArgs& args,
                                       const at::Tensor& g_idx = {});

/// Scales of a dynamic (or the local part of a "local") activation scheme for this very input.
[[nodiscard]] ScaleAndZeroPoint compute_dynamic_qparams(const at::Tensor& x, const QuantizationArgs& args,
                                                        const at::Tensor& global_scale = {});

}  // namespace calibench
