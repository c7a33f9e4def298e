#pragma once

#include <ATen/core/Tensor.h>

#include "core/quantization/quantization_args.h"

namespace calibench {

/// Scale and zero point of one tensor; the shape depends on the strategy (weight, group: [out, in / group_size]).
struct QParams {
    at::Tensor scale;
    at::Tensor zero_point;    ///< undefined where there is none
    at::Tensor global_scale;  ///< float32 [1]; tensor_group only
};

struct ScaleAndZeroPoint {
    at::Tensor scale;
    at::Tensor zero_point;
};

/// compressed_tensors.quantization.utils.helpers.calculate_qparams; min and max have the scale's shape.
[[nodiscard]] ScaleAndZeroPoint calculate_qparams(const at::Tensor& min_vals, const at::Tensor& max_vals,
                                                  const QuantizationArgs& args, const at::Tensor& global_scale = {});

/// global_scale = fp8_max * fp4_max / absmax, float32 [1] (helpers.generate_gparam).
[[nodiscard]] at::Tensor generate_gparam(const at::Tensor& min_vals, const at::Tensor& max_vals);

/// The levels a value may take before scaling: [-8, 7] for int4, [-448, 448] for fp8, [-6, 6] for fp4.
struct QuantizationRange {
    double min;
    double max;
};
[[nodiscard]] QuantizationRange quantization_range(const QuantizationArgs& args);

[[nodiscard]] at::ScalarType to_scalar_type(DType dtype);
[[nodiscard]] DType to_dtype(at::ScalarType type);

}  // namespace calibench
