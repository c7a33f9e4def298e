#pragma once

#include <cmath>

namespace calibench {

// What the search for a group's best range computes, without LibTorch: the CPU's loops and the CUDA kernels share it.

/// Of intermediate results: as if the tensors were of this dtype.
enum class Rounding { Float32, BFloat16, Float16 };

/// The values that a quantized number can take, and how the arithmetic around it rounds.
struct ErrorFormat {
    Rounding rounding;    ///< of every intermediate result
    float low, high;      ///< of the quantized values
    bool float_levels;    ///< fp8 or fp4; else integers
    float least_normal;   ///< of float levels: the power of two below which they are subnormal
    float magic_factor;   ///< of float levels: 1.5 * 2^23 / 2^mantissa bits
    bool has_zero_point;
    bool is_weighted;     ///< errors are taken in float32 and multiplied by a weight each; else rounded like the rest
};

/// How scale and zero point follow from a range (compressed_tensors' calculate_qparams, without scale_dtype).
struct ScaleRule {
    Rounding rounding;
    bool is_symmetric;
    float low, high;   ///< of the quantized values
    float divisor;     ///< of absmax (symmetric) or of max - min
    float least;       ///< instead of a zero scale
};

/// The exponent of an error where it is one to be multiplied out, as LibTorch does: 1, 2, 3 or 4; else 0.
inline int whole_exponent(double exponent) { return exponent == std::floor(exponent) && exponent >= 1 && exponent <= 4 ? int(exponent) : 0; }

}  // namespace calibench
