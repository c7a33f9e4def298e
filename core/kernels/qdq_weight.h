#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

namespace calibench {

// AutoRound's integer quantize-dequantize of a weight, fused: the same numbers as quant_tensor_sym and quant_tensor_asym
// (core/autoround/weight_rounding.h) and their gradients, in one pass over memory and without temporaries. Groups are runs of the
// row-major weight.

/// One weight under tuning. The kernels read everything and write v_next, min_scale, max_scale and qdq.
struct QdqWeight {
    at::Tensor weight;                  ///< float32 or bfloat16, contiguous
    at::Tensor qdq;                     ///< the weight's shape and dtype
    at::Tensor range_min, range_max;    ///< float32 [groups]: min(W, 0), max(W, 0)
    at::Tensor min_scale, max_scale;    ///< float32 [groups]
    int64_t group_size = 0;             ///< elements of a group
    int bits = 4;
    bool symmetric = true;
    at::ScalarType scale_dtype = at::kHalf;
    float scale_threshold = 1e-5f;
};

struct QdqStep {
    float rate = 0;         ///< of v
    float minmax_rate = 0;  ///< of the scales; 0 leaves them alone
    float most_scale = 1;   ///< where the scales are clamped
};

struct QdqKernels {
    /// qdq = dequantize(quantize(weight)) with the parameters as they are.
    void (*forward)(QdqWeight& weight, const at::Tensor& v);
    /// From d loss / d qdq: v_next = v - rate * sign(dv), the scales likewise and clamped to [0, most_scale]; then qdq of the new parameters.
    /// v and v_next may be the same tensor.
    void (*step)(QdqWeight& weight, const at::Tensor& v, at::Tensor& v_next, const at::Tensor& grad_qdq, QdqStep step);
};

/// Null where there are none for this weight: the reference divides in a 16-bit dtype that weight and scale share.
[[nodiscard]] const QdqKernels* qdq_kernels(const at::Tensor& weight, at::ScalarType scale_dtype);

}  // namespace calibench
