#pragma once

#include <ATen/core/Tensor.h>

namespace calibench {

// auto-round's quantize-dequantize functions under their own names (auto_round/data_type, 0.15): differentiable in v, min_scale
// and max_scale, built from tensor operations on any device. They are the reference that the fused kernels are held to.
//
// A weight is cut into groups; one group shares one scale. `v` has the grouped shape [groups, group], padding included, and
// is added to weight / scale before rounding; min_scale and max_scale shrink the group's range.

struct WeightRoundingInputs {
    at::Tensor weight;                    ///< [rows, columns], float32, bfloat16 or float16
    at::Tensor v;                         ///< undefined: 0
    at::Tensor min_scale, max_scale;      ///< [groups], undefined: 1
    at::Tensor tensor_min, tensor_max;    ///< [groups], min(W, 0) and max(W, 0) where already known
    at::Tensor imatrix;                   ///< opt_rtn and searches: [columns], what squared errors count; undefined: all the same
    at::Tensor init_scale;                ///< nv_fp4, quant_mx: [groups], a factor of the range beside max_scale; undefined: 1
    at::Tensor global_scale;              ///< nv_fp4: float32 scalar, undefined: from the weight
    int bits = 4;
    int64_t group_size = -1;              ///< columns of a group; -1: a row, 0: the whole tensor
    int64_t block_rows = 0;               ///< above 0: tiles of block_rows x group_size (quant_block_fp_sym)
    at::ScalarType scale_dtype = at::kHalf;
    double scale_threshold = 1e-5;        ///< |scale| is kept at least this large
};

struct WeightRounding {
    at::Tensor qdq;          ///< the weight's shape and dtype
    at::Tensor scale;        ///< [groups, 1]; symmetric integer scales may be negative; MX: log2 of the scale
    at::Tensor zero_point;   ///< [groups, 1] counted from 0; undefined where there is none
    at::Tensor outer_scale;  ///< progressive_quant_fp8_int4: the scale of its float8 stage
};

/// Integers in [-2^(b-1), 2^(b-1)-1] with a signed scale, so that the larger end of the range is hit exactly.
[[nodiscard]] WeightRounding quant_tensor_sym(const WeightRoundingInputs& inputs);
/// Integers in [0, 2^b-1] with a zero point.
[[nodiscard]] WeightRounding quant_tensor_asym(const WeightRoundingInputs& inputs);
/// quant_tensor_sym without v and without gradients.
[[nodiscard]] WeightRounding quant_tensor_rtn_sym(const WeightRoundingInputs& inputs);
/// Round to nearest with the scale of least squared error out of a grid around the group's extreme.
[[nodiscard]] WeightRounding quant_tensor_opt_rtn_sym(const WeightRoundingInputs& inputs);

/// float8 e4m3, one scale per group.
[[nodiscard]] WeightRounding quant_fp8_sym(const WeightRoundingInputs& inputs);
/// float8 e4m3, one scale per tile; v [row tiles, column tiles, block_rows, group_size], scale [row tiles, column tiles].
[[nodiscard]] WeightRounding quant_block_fp_sym(const WeightRoundingInputs& inputs);
/// float8 with one scale for the tensor, then integers on top of it (W4AFP8).
[[nodiscard]] WeightRounding progressive_quant_fp8_int4(const WeightRoundingInputs& inputs);
/// float4 e2m1 with float8 group scales relative to a global one.
[[nodiscard]] WeightRounding nv_fp4(const WeightRoundingInputs& inputs);
/// OCP microscaling float4, float6 or float8 by `bits`: group scales are powers of two.
[[nodiscard]] WeightRounding quant_mx(const WeightRoundingInputs& inputs);
/// The same without tuning: the better of the shared exponents one below, at and one above the range's.
[[nodiscard]] WeightRounding quant_mx_opt_rtn(const WeightRoundingInputs& inputs);

// Where SignRoundV2 starts: each group's range is the one whose rounding to nearest has the least squared error, weighted by the
// imatrix. From there on the scales may grow, up to twice the range.

/// A group's range as quant_tensor_sym takes it: of the two ends the one is 0, so that the other alone is tuned.
struct SearchedRange {
    at::Tensor min, max;  ///< float32 [groups]
};
[[nodiscard]] SearchedRange search_integer_range(const WeightRoundingInputs& inputs);
/// Factors of the range [groups] for quant_mx: 0.5, 1 or 2.
[[nodiscard]] at::Tensor search_mx_scale(const WeightRoundingInputs& inputs);
/// Factors of the range [groups] for nv_fp4, out of 0.5 .. 1.51; the search is relative to the weight's own global scale.
[[nodiscard]] at::Tensor search_nvfp4_scale(const WeightRoundingInputs& inputs);

/// What tuned integer parameters amount to in a checkpoint.
struct RoundedIntegers {
    at::Tensor values;      ///< int8, the weight's shape, in [-2^(b-1), 2^(b-1)-1]
    at::Tensor scale;       ///< [groups, 1], scale_dtype
    at::Tensor zero_point;  ///< int8 [groups, 1], counted like the values; undefined when symmetric
};

/// The integers inside quant_tensor_sym or quant_tensor_asym; asymmetric ones moved down by 2^(b-1), as compressed-tensors counts.
[[nodiscard]] RoundedIntegers round_to_integers(const WeightRoundingInputs& inputs, bool symmetric);

/// The integers inside quant_tensor_opt_rtn_sym.
[[nodiscard]] RoundedIntegers round_to_optimal_integers(const WeightRoundingInputs& inputs);

/// auto-round's smallest scale: 1e-8 for float32 scales, 1e-5 for narrower ones.
[[nodiscard]] double default_scale_threshold(at::ScalarType scale_dtype);

}  // namespace calibench
