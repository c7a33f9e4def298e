#pragma once

#include "core/kernels/cpu/bf16_lanes.h"

#if defined(CALIBENCH_BF16_PRODUCTS)

namespace calibench::cpu::bf16 {

// What attention computes between its products, for some rows of one head.

/// states[rows, columns] += bias[columns].
void add_bias(const uint16_t* bias, int64_t rows, int64_t columns, float* states);

/// cos and sin of consecutive tokens, [rows, head_dim], both halves alike.
struct Angles {
    const uint16_t *cos, *sin;
    int64_t head_dim;
};
/// Rotates states [rows, head_dim], rounded before and on the way where the model's own operations round.
void rotate(const float* states, const Angles& angles, int64_t rows, uint16_t* rotated);
/// The rotation by the opposite angle.
void rotate_back(const float* grads, const Angles& angles, int64_t rows, uint16_t* turned);
void rotate_back(const uint16_t* grads, const Angles& angles, int64_t rows, uint16_t* turned);

/// Scores of the queries from `query` on and the keys from 0 on.
struct Scores {
    int64_t query, rows, columns;
    float scale;
    int64_t stride;  ///< between rows of bfloat16 results; float rows are `columns` apart

    /// softmax(scale * scores) over the keys up to each query's own, 0 for the others. The scores do not survive.
    void softmax(float* scores, uint16_t* probabilities) const;
    /// grad = d loss / d probabilities -> d loss / d scores, as rows and packed in pairs of rows; the probabilities so packed.
    void softmax_backward(const uint16_t* probabilities, const float* grad, uint16_t* grad_scores, uint16_t* grad_score_pairs,
                          uint16_t* probability_pairs) const;
};

}  // namespace calibench::cpu::bf16

#endif
