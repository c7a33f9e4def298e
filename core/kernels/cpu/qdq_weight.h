#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

namespace calibench {

// AutoRound's integer quantize-dequantize of a weight, fused: the same numbers as quant_tensor_sym and quant_tensor_asym
// (core/autoround/weight_rounding.h) and their gradients, in one pass over memory and without temporaries. The parts are
// float32 or bfloat16 weights on the CPU; groups are runs of the row-major weight.

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
};

/// Whether the kernels below take this weight. Where weight and scale share a 16-bit dtype the reference divides in that dtype.
[[nodiscard]] bool qdq_kernel_takes(const at::Tensor& weight, at::ScalarType scale_dtype);

/// qdq = dequantize(quantize(weight)) with the parameters as they are.
void qdq_forward(QdqWeight& weight, const at::Tensor& v);

/// From d loss / d qdq: v_next = v - rate * sign(dv), the scales likewise and clamped to [0, 1]; then qdq of the new parameters.
/// v and v_next may be the same tensor.
void qdq_step(QdqWeight& weight, const at::Tensor& v, at::Tensor& v_next, const at::Tensor& grad_qdq, QdqStep step);

}  // namespace calibench
