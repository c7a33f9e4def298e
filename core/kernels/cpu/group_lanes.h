#pragma once

#include <cstdint>
#include <vector>

#include "core/kernels/error_format.h"

namespace calibench {

/// A bfloat16 as memory holds it; this layer knows no LibTorch.
struct BFloat16Bits {
    uint16_t bits;
};

/// |e|^exponent: scale_of_exponent[biased exponent of e] * polynomial(mantissa - 1.5), off by less than 1e-6 of it. A small whole
/// exponent is multiplied out instead, as LibTorch does. Of a bfloat16 there are so few that each has its own entry, rounded.
struct PowerTable {
    PowerTable(double exponent, bool for_bfloat16);

    int whole_exponent;  ///< 0: use the polynomial
    float scale_of_exponent[256];
    float coefficients[7];  ///< from the constant up
    std::vector<float> of_bfloat16;  ///< by the upper half of |e|'s bits
};

/// Scales and zero points of 16 candidates: the range times each factor.
using ScaleFunction = void (*)(const ScaleRule& rule, float min, float max, const float* factors, float* scales, float* zero_points);

struct ErrorInputs {
    const float* values;       ///< `size` values, zeros up to a multiple of 16
    const float* weights;      ///< the same for is_weighted
    int64_t size;
    const float* scales;       ///< of the first candidate; those of the next ones follow at `stride`
    const float* zero_points;
    int64_t stride;
    int64_t candidates;
};
using ErrorFunction = void (*)(const ErrorInputs& inputs, const ErrorFormat& format, const PowerTable& power, double* sums);

/// The inner loops of the observers, one set per instruction set. A run is `size` consecutive values.
struct GroupLanes {
    const char* name;  ///< "AVX-512", "AVX2", "baseline"

    void (*widen_bf16)(const BFloat16Bits* x, int64_t size, float* out);

    /// min[run] and max[run] of the run's values, and of what they held before when `extend`; NaN where a value is NaN.
    void (*range_f32)(const float* x, int64_t runs, int64_t size, bool extend, float* min, float* max);
    void (*range_bf16)(const BFloat16Bits* x, int64_t runs, int64_t size, bool extend, BFloat16Bits* min, BFloat16Bits* max);

    ScaleFunction candidate_scales;
    /// The loop for a format. It adds the sum of |dequantize(quantize(value)) - value|^exponent to sums[candidate], in the
    /// reference's order of operations: divide, add zero point, clamp, round, subtract zero point, multiply.
    ErrorFunction (*error_function)(const ErrorFormat& format, const PowerTable& power);
};

/// For lanes::instruction_set().
[[nodiscard]] const GroupLanes& group_lanes();

}  // namespace calibench
