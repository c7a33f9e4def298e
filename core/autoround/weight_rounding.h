#pragma once

#include <ATen/core/Tensor.h>

#include "core/quantization/quantization_args.h"

namespace calibench {

/// auto-round's quantize-dequantize functions (auto_round/data_type/int.py): differentiable in v, min_scale and max_scale.
struct WeightRounding {
    at::Tensor qdq;         ///< W's shape and dtype
    at::Tensor scale;       ///< [rows, groups], scale_dtype; symmetric scales may be negative
    at::Tensor zero_point;  ///< [rows, groups], counted from 0 (asymmetric), or undefined
};

struct WeightRoundingInputs {
    at::Tensor weight;      ///< [rows, columns]
    at::Tensor v;           ///< rounding offset, weight's (grouped) shape; undefined: 0
    at::Tensor min_scale;   ///< one per group, undefined: 1
    at::Tensor max_scale;
    int bits = 4;
    int64_t group_size = 128;  ///< -1 per row, 0 whole tensor
    at::ScalarType scale_dtype = at::kHalf;
};

[[nodiscard]] WeightRounding quant_tensor_sym(const WeightRoundingInputs& inputs);
[[nodiscard]] WeightRounding quant_tensor_asym(const WeightRoundingInputs& inputs);

}  // namespace calibench
