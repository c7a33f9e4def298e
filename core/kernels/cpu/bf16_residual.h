#pragma once

#include "core/kernels/cpu/bf16_products.h"

#if defined(CALIBENCH_BF16_PRODUCTS)

namespace calibench::cpu::bf16 {

// What both halves of a decoder block begin and end with, for some rows of bfloat16: y = x + f(rms_norm(x)).

/// rms_norm(x), rounded where LlamaRMSNorm rounds; rows of the result lie `stride` apart. inverse_rms [rows] is written.
void normalize(const uint16_t* x, const uint16_t* weight, double eps, int64_t rows, int64_t features, uint16_t* normed, int64_t stride,
               float* inverse_rms);
/// y = x + sums.
void add_residual(const float* sums, const uint16_t* x, int64_t count, uint16_t* y);
/// d loss / d x from d loss / d rms_norm(x) in float32, and d loss / d y, which also reaches x past f.
void normalize_backward(const float* grad_normed, const uint16_t* grad_y, const uint16_t* x, const uint16_t* weight,
                        const float* inverse_rms, int64_t rows, int64_t features, uint16_t* grad_x);

}  // namespace calibench::cpu::bf16

#endif
