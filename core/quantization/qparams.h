#pragma once

#include <string>
#include <vector>

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

/// The shape of a weight's scale: [1], [rows, 1], [rows, groups] or [block rows, block columns]. Throws InputError where groups do
/// not divide the columns.
[[nodiscard]] std::vector<int64_t> weight_scale_shape(const QuantizationArgs& args, int64_t rows, int64_t columns);

/// Throws RunError that names the module, what was observed ("weight", "input", ...), and how many values of its range are NaN
/// or infinite: the functions above would silently make a scale of them, as the reference does.
void require_finite_range(const at::Tensor& min_vals, const at::Tensor& max_vals, const std::string& module_name,
                          const std::string& what);

/// The levels a value may take before scaling: [-8, 7] for int4, [-448, 448] for fp8, [-6, 6] for fp4.
struct QuantizationRange {
    double min;
    double max;
};
[[nodiscard]] QuantizationRange quantization_range(const QuantizationArgs& args);

[[nodiscard]] at::ScalarType to_scalar_type(DType dtype);
[[nodiscard]] DType to_dtype(at::ScalarType type);

}  // namespace calibench
