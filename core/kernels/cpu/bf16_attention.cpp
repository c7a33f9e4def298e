#include "core/kernels/cpu/bf16_attention.h"

#if defined(CALIBENCH_BF16_PRODUCTS)

#include <limits>

namespace calibench::cpu::bf16 {

CALIBENCH_TARGET_BF16 void add_bias(const uint16_t* bias, int64_t rows, int64_t columns, float* states) {
    for (int64_t row = 0; row < rows; ++row, states += columns) {
        for (int64_t i = 0; i < columns; i += 16) store(states + i, load(states + i) + load(bias + i));
    }
}

CALIBENCH_TARGET_BF16 void rotate(const float* states, const Angles& angles, int64_t rows, uint16_t* rotated) {
    const int64_t half = angles.head_dim / 2;
    for (int64_t at = 0; at < rows * angles.head_dim; at += angles.head_dim) {
        for (int64_t i = at; i < at + half; i += 16) {
            const auto low = rounded(load(states + i)), high = rounded(load(states + half + i));
            const auto cos = load(angles.cos + i), sin = load(angles.sin + i);
            store(rotated + i, rounded(low * cos) - rounded(high * sin));
            store(rotated + half + i, rounded(high * cos) + rounded(low * sin));
        }
    }
}

namespace {

template <typename T>
CALIBENCH_TARGET_BF16 CALIBENCH_INLINE void turn_back(const T* grads, const Angles& angles, int64_t rows, uint16_t* turned) {
    const int64_t half = angles.head_dim / 2;
    for (int64_t at = 0; at < rows * angles.head_dim; at += angles.head_dim) {
        for (int64_t i = at; i < at + half; i += 16) {
            const auto low = load(grads + i), high = load(grads + half + i);
            const auto cos = load(angles.cos + i), sin = load(angles.sin + i);
            store(turned + i, low * cos + high * sin);
            store(turned + half + i, high * cos - low * sin);
        }
    }
}

}  // namespace

CALIBENCH_TARGET_BF16 void rotate_back(const float* grads, const Angles& angles, int64_t rows, uint16_t* turned) {
    turn_back(grads, angles, rows, turned);
}
CALIBENCH_TARGET_BF16 void rotate_back(const uint16_t* grads, const Angles& angles, int64_t rows, uint16_t* turned) {
    turn_back(grads, angles, rows, turned);
}

CALIBENCH_TARGET_BF16 void Scores::softmax(float* scores, uint16_t* probabilities) const {
    for (int64_t row = 0; row < rows; ++row, scores += columns, probabilities += stride) {
        const int64_t seen = query + row + 1, end = (seen + 15) / 16 * 16;
        for (int64_t i = seen; i < end; ++i) scores[i] = -std::numeric_limits<float>::infinity();
        Float most = load(scores);
        for (int64_t i = 16; i < end; i += 16) most = larger(most, load(scores + i));
        const float top = largest(most);
        Float total = {};
        for (int64_t i = 0; i < end; i += 16) {
            const Float x = (load(scores + i) - top) * scale;
            const Float power = x < -80.0f ? Float{} : exp(x);
            store(scores + i, power);
            total += power;
        }
        const float inverse = 1.0f / sum(total);
        for (int64_t i = 0; i < end; i += 16) store(probabilities + i, load(scores + i) * inverse);
        for (int64_t i = end; i < columns; i += 16) store(probabilities + i, Float{});
    }
}

/// scale * p * (grad - sum(p * grad)); zero by itself where p is.
CALIBENCH_TARGET_BF16 void Scores::softmax_backward(const uint16_t* probabilities, const float* grad, uint16_t* grad_scores,
                                                    uint16_t* grad_score_pairs, uint16_t* probability_pairs) const {
    for (int64_t row = 0; row < rows; row += 2) {
        const uint16_t* p[2] = {probabilities + row * stride, probabilities + (row + 1) * stride};
        const float* g[2] = {grad + row * columns, grad + (row + 1) * columns};
        Float products[2] = {};
        for (int64_t i = 0; i < columns; i += 16) {
            for (int r = 0; r < 2; ++r) products[r] += load(p[r] + i) * load(g[r] + i);
        }
        const float means[2] = {sum(products[0]), sum(products[1])};
        for (int64_t i = 0; i < columns; i += 16) {
            Half scores[2], seen[2];
            for (int r = 0; r < 2; ++r) {
                scores[r] = narrowed(load(p[r] + i) * (load(g[r] + i) - means[r]) * scale);
                store(grad_scores + (row + r) * stride + i, scores[r]);
                std::memcpy(&seen[r], p[r] + i, sizeof(Half));
            }
            store_pairs(grad_score_pairs + row * stride + 2 * i, scores[0], scores[1]);
            store_pairs(probability_pairs + row * stride + 2 * i, seen[0], seen[1]);
        }
    }
}

}  // namespace calibench::cpu::bf16

#endif
