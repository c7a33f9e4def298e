#include "core/kernels/search_format.h"

#include <cmath>
#include <limits>

#include <ATen/ATen.h>

namespace calibench {

namespace {

Rounding rounding_of(at::ScalarType dtype) {
    if (dtype == at::kBFloat16) return Rounding::BFloat16;
    return dtype == at::kHalf ? Rounding::Float16 : Rounding::Float32;
}

float largest_finite(at::ScalarType dtype) {
    if (dtype == at::kBFloat16) return std::numeric_limits<at::BFloat16>::max();
    return dtype == at::kHalf ? float(std::numeric_limits<at::Half>::max()) : std::numeric_limits<float>::max();
}

float epsilon(at::ScalarType dtype) {
    if (dtype == at::kBFloat16) return std::numeric_limits<at::BFloat16>::epsilon();
    return dtype == at::kHalf ? float(std::numeric_limits<at::Half>::epsilon()) : std::numeric_limits<float>::epsilon();
}

float round_to(at::ScalarType dtype, double value) {
    const auto single = float(value);
    if (dtype == at::kBFloat16) return at::BFloat16(single);
    return dtype == at::kHalf ? float(at::Half(single)) : single;
}

}  // namespace

SearchFormat search_format(const GroupSearchInputs& inputs) {
    const at::ScalarType dtype = inputs.flattened.scalar_type();
    const at::ScalarType error_dtype = inputs.norm.in_float32 ? at::kFloat : dtype;
    const QuantizedLevels& levels = inputs.levels;
    const float range = round_to(dtype, levels.high - levels.low);
    return {.errors = {.rounding = rounding_of(dtype),
                       .low = float(levels.low),
                       .high = float(levels.high),
                       .float_levels = levels.are_floats,
                       .least_normal = std::ldexp(1.0f, levels.least_exponent),
                       .magic_factor = std::ldexp(1.5f, 23 - levels.mantissa_bits),
                       .has_zero_point = !inputs.symmetric,
                       .is_weighted = inputs.norm.in_float32},
            .scales = {.rounding = rounding_of(dtype),
                       .is_symmetric = inputs.symmetric,
                       .low = float(levels.low),
                       .high = float(levels.high),
                       .divisor = inputs.symmetric ? round_to(dtype, range / 2) : range,
                       .least = epsilon(dtype)},
            .error_rounding = rounding_of(error_dtype),
            .exponent = at::scalar_tensor(inputs.norm.exponent, at::kDouble).to(error_dtype).item<double>(),
            .largest_error = largest_finite(error_dtype)};
}

}  // namespace calibench
