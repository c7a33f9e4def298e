#include "core/kernels/cpu/bf16_residual.h"

#if defined(CALIBENCH_BF16_PRODUCTS)

#include <cmath>

namespace calibench::cpu::bf16 {

CALIBENCH_TARGET_BF16 void normalize(const uint16_t* x, const uint16_t* weight, double eps, int64_t rows, int64_t features,
                                     uint16_t* normed, int64_t stride, float* inverse_rms) {
    for (int64_t row = 0; row < rows; ++row, x += features, normed += stride) {
        Float squares = {};
        for (int64_t i = 0; i < features; i += 16) {
            const auto value = load(x + i);
            squares += value * value;
        }
        const auto inverse = static_cast<float>(1.0 / std::sqrt(static_cast<double>(sum(squares)) / static_cast<double>(features) + eps));
        inverse_rms[row] = inverse;
        for (int64_t i = 0; i < features; i += 16) store(normed + i, load(weight + i) * rounded(load(x + i) * inverse));
    }
}

CALIBENCH_TARGET_BF16 void add_residual(const float* sums, const uint16_t* x, int64_t count, uint16_t* y) {
    for (int64_t i = 0; i < count; i += 16) store(y + i, load(x + i) + rounded(load(sums + i)));
}

/// With n = x * inverse_rms and h = weight * grad_normed: inverse_rms * (h - n * mean(h * n)).
CALIBENCH_TARGET_BF16 void normalize_backward(const float* grad_normed, const uint16_t* grad_y, const uint16_t* x, const uint16_t* weight,
                                              const float* inverse_rms, int64_t rows, int64_t features, uint16_t* grad_x) {
    for (int64_t row = 0; row < rows; ++row, grad_normed += features, grad_y += features, x += features, grad_x += features) {
        Float products = {};
        for (int64_t i = 0; i < features; i += 16) products += load(weight + i) * load(grad_normed + i) * load(x + i);
        const float inverse = inverse_rms[row];
        const auto pull = sum(products) / static_cast<float>(features) * inverse * inverse * inverse;
        for (int64_t i = 0; i < features; i += 16) {
            const auto pushed = load(weight + i) * load(grad_normed + i) * inverse;
            store(grad_x + i, load(grad_y + i) + (pushed - load(x + i) * pull));
        }
    }
}

}  // namespace calibench::cpu::bf16

#endif
