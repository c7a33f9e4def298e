#include "core/kernels/self_attention.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <ATen/ATen.h>

#include "core/kernels/cpu/bf16_operands.h"
#include "core/kernels/cpu/bf16_products.h"
#include "core/kernels/cpu/bf16_residual.h"
#include "core/kernels/recycled.h"

#if defined(CALIBENCH_BF16_PRODUCTS)

namespace calibench::cpu {

namespace {

using namespace bf16;

/// Queries that look at keys together: the scores beyond the causal rule are at most so many less one for each.
constexpr int64_t query_rows = 64;

struct Sizes {
    int64_t batch, seq, tokens, hidden, head_dim, heads, groups, chunk_tokens;
    Sizes(const SelfAttentionWeights& weights, const at::Tensor& x)
        : batch(x.size(0)),
          seq(x.size(1)),
          tokens(batch * seq),
          hidden(x.size(2)),
          head_dim(weights.head_dim),
          heads(weights.query.size(0) / head_dim),
          groups(weights.key.size(0) / head_dim),
          chunk_tokens(chunk_of(tokens)) {}
    [[nodiscard]] int64_t chunks() const { return (tokens + chunk_tokens - 1) / chunk_tokens; }
    [[nodiscard]] int64_t head_size() const { return seq * head_dim; }
    /// Where [batch, count, seq, head_dim] has a token of a head.
    [[nodiscard]] int64_t state_at(int64_t count, int64_t head, int64_t token) const {
        return ((token / seq * count + head) * seq + token % seq) * head_dim;
    }
    [[nodiscard]] float scale() const { return static_cast<float>(1.0 / std::sqrt(static_cast<double>(head_dim))); }
};

/// Angles of tokens.
struct Angles {
    const uint16_t *cos, *sin;
    int64_t seq, head_dim;
    bool per_sample;
    Angles(const SelfAttentionWeights& weights, const Sizes& sizes)
        : cos(elements(weights.cos)),
          sin(elements(weights.sin)),
          seq(sizes.seq),
          head_dim(sizes.head_dim),
          per_sample(weights.cos.size(0) > 1) {}
    [[nodiscard]] int64_t at(int64_t token) const { return (per_sample ? token : token % seq) * head_dim; }
};

/// A head's sums of `rows` tokens, rounded as the projection's output and rotated.
CALIBENCH_TARGET_BF16 void rotate(const float* sums, const Angles& angles, int64_t token, int64_t rows, const Sizes& sizes, int64_t count,
                                  int64_t head, uint16_t* states) {
    const int64_t half = sizes.head_dim / 2;
    for (int64_t row = 0; row < rows; ++row, sums += sizes.head_dim) {
        const uint16_t *cos = angles.cos + angles.at(token + row), *sin = angles.sin + angles.at(token + row);
        uint16_t* to = states + sizes.state_at(count, head, token + row);
        for (int64_t i = 0; i < half; i += 16) {
            const auto low = rounded(load(sums + i)), high = rounded(load(sums + half + i));
            const auto c = load(cos + i), s = load(sin + i);
            store(to + i, rounded(low * c) - rounded(high * s));
            store(to + half + i, rounded(high * c) + rounded(low * s));
        }
    }
}

/// A head's gradients of the tokens of one sample, turned back.
CALIBENCH_TARGET_BF16 void rotate_back(const float* grads, const Angles& angles, int64_t token, int64_t rows, uint16_t* to) {
    const int64_t half = angles.head_dim / 2;
    for (int64_t row = 0; row < rows; ++row, grads += angles.head_dim, to += angles.head_dim) {
        const uint16_t *cos = angles.cos + angles.at(token + row), *sin = angles.sin + angles.at(token + row);
        for (int64_t i = 0; i < half; i += 16) {
            const auto low = load(grads + i), high = load(grads + half + i);
            const auto c = load(cos + i), s = load(sin + i);
            store(to + i, low * c + high * s);
            store(to + half + i, high * c - low * s);
        }
    }
}

/// Rows of heads [rows, head_dim] that lie by head.
CALIBENCH_TARGET_BF16 void narrow_by_head(const float* sums, int64_t token, int64_t rows, const Sizes& sizes, int64_t count, int64_t head,
                                          uint16_t* states) {
    for (int64_t row = 0; row < rows; ++row)
        narrow(sums + row * sizes.head_dim, sizes.head_dim, 1, sizes.head_dim, states + sizes.state_at(count, head, token + row),
               sizes.head_dim);
}

/// Scores of queries from `query` on -> probabilities, 0 where a key may not be seen; `columns` of them in rows `stride` apart.
CALIBENCH_TARGET_BF16 void softmax(float* scores, int64_t query, int64_t rows, int64_t columns, float scale, uint16_t* probabilities,
                                   int64_t stride) {
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

/// d loss / d scores = scale * p * (grad - sum(p * grad)); zero by itself where p is.
CALIBENCH_TARGET_BF16 void softmax_backward(const uint16_t* probabilities, int64_t stride, const float* grad, int64_t rows, int64_t columns,
                                            float scale, uint16_t* grad_scores, int64_t grad_stride) {
    for (int64_t row = 0; row < rows; ++row, probabilities += stride, grad += columns, grad_scores += grad_stride) {
        Float products = {};
        for (int64_t i = 0; i < columns; i += 16) products += load(probabilities + i) * load(grad + i);
        const float mean = sum(products);
        for (int64_t i = 0; i < columns; i += 16) store(grad_scores + i, load(probabilities + i) * (load(grad + i) - mean) * scale);
    }
}

/// Rows [rows, columns] as a right operand of one panel.
void pack_as_panel(const uint16_t* from, int64_t rows, int64_t columns, uint16_t* to) {
    for (int64_t column = 0; column < columns; column += 32) pack_rows(from + column, columns, rows, to + 2 * column, columns);
}
/// The same of their transpose.
void pack_transposed_as_panel(const uint16_t* from, int64_t rows, int64_t columns, uint16_t* to) {
    for (int64_t row = 0; row < rows; row += 32) pack_columns(from + row * columns, columns, columns, to + 2 * row, rows);
}

/// sums[rows, head_dim] = left * the columns of one head. A head of less than a panel is part of one, and there may be the ends of two.
void multiply_head(Left left, const Packed& right, int64_t head, int64_t head_dim, int64_t rows, int64_t k, float* sums) {
    for (int64_t column = 0; column < head_dim;) {
        const int64_t at = head * head_dim + column, inside = at % panel_columns;
        const auto [panel, width] = right.panel(at - inside);
        const int64_t count = std::min(head_dim - column, width - inside);
        multiply(left, {panel + 2 * inside, width}, rows, count, k, {sums + column, head_dim});
        column += count;
    }
}

/// What one thread does with the heads of one sample that share keys.
void attend(const Sizes& sizes, int64_t sample, int64_t group, const SelfAttentionStates& states, const at::Tensor& mixed) {
    const auto [seq, head_dim, shared] = std::tuple(sizes.seq, sizes.head_dim, sizes.heads / sizes.groups);
    const int64_t at_group = (sample * sizes.groups + group) * sizes.head_size();
    Scratch scratch;
    uint16_t* keys = scratch.halves(sizes.head_size());
    uint16_t* values = scratch.halves(sizes.head_size());
    float* scores = scratch.floats(query_rows * seq);
    float* sums = scratch.floats(query_rows * head_dim);
    pack_transposed_as_panel(elements(states.key) + at_group, seq, head_dim, keys);
    pack_as_panel(elements(states.value) + at_group, seq, head_dim, values);
    for (int64_t head = group * shared; head < (group + 1) * shared; ++head) {
        const uint16_t* queries = elements(states.query) + (sample * sizes.heads + head) * sizes.head_size();
        uint16_t* probabilities = mutable_elements(states.probabilities) + (sample * sizes.heads + head) * seq * seq;
        for (int64_t query = 0; query < seq; query += query_rows) {
            const int64_t rows = std::min(query_rows, seq - query), columns = query + rows;
            uint16_t* seen = probabilities + query * seq;
            multiply({queries + query * head_dim, head_dim}, {keys, seq}, rows, columns, head_dim, {scores, columns});
            softmax(scores, query, rows, columns, sizes.scale(), seen, seq);
            multiply({seen, seq}, {values, head_dim}, rows, head_dim, columns, {sums, head_dim});
            narrow(sums, head_dim, rows, head_dim, mutable_elements(mixed) + ((sample * seq + query) * sizes.heads + head) * head_dim,
                   sizes.heads * head_dim);
        }
    }
}

void forward(const SelfAttentionWeights& weights, const at::Tensor& x, at::Tensor& y, SelfAttentionStates* kept) {
    const Sizes sizes(weights, x);
    const int64_t tokens = sizes.tokens, hidden = sizes.hidden, head_dim = sizes.head_dim, width = sizes.heads * head_dim;
    const int64_t chunk_tokens = sizes.chunk_tokens;
    const Angles angles(weights, sizes);
    const Packed query = Packed::transposed(weights.query), key = Packed::transposed(weights.key),
                 value = Packed::transposed(weights.value), output = Packed::transposed(weights.output);
    const auto empty = [&](int64_t count) { return recycled({count}, x.options()); };
    const SelfAttentionStates states{recycled({tokens}, x.options().dtype(at::kFloat)),
                                     kept ? empty(tokens * hidden) : at::Tensor(),
                                     kept ? empty(tokens * width) : at::Tensor(),
                                     empty(tokens * width),
                                     empty(tokens * sizes.groups * head_dim),
                                     empty(tokens * sizes.groups * head_dim),
                                     empty(sizes.batch * sizes.heads * sizes.seq * sizes.seq)};
    const at::Tensor mixed = empty(tokens * width);
    share_out(sizes.chunks(), [&](int64_t chunk) {
        const int64_t token = chunk * chunk_tokens, rows = std::min(chunk_tokens, tokens - token), stride = spread(hidden);
        Scratch scratch;
        uint16_t* normed = scratch.halves(chunk_tokens * stride);
        float* sums = scratch.floats(chunk_tokens * head_dim);
        normalize(elements(x) + token * hidden, elements(weights.norm), weights.eps, rows, hidden, normed, stride,
                  states.inverse_rms.mutable_data_ptr<float>() + token);
        if (kept) Packed(states.normed, tokens, hidden).put(normed, stride, rows, hidden, token, 0);
        const auto project = [&](const Packed& weight, int64_t head) {
            multiply_head({normed, stride}, weight, head, head_dim, rows, hidden, sums);
        };
        for (int64_t head = 0; head < sizes.heads; ++head) {
            project(query, head);
            rotate(sums, angles, token, rows, sizes, sizes.heads, head, mutable_elements(states.query));
        }
        for (int64_t group = 0; group < sizes.groups; ++group) {
            project(key, group);
            rotate(sums, angles, token, rows, sizes, sizes.groups, group, mutable_elements(states.key));
            project(value, group);
            narrow_by_head(sums, token, rows, sizes, sizes.groups, group, mutable_elements(states.value));
        }
    });
    share_out(sizes.batch * sizes.groups, [&](int64_t item) { attend(sizes, item / sizes.groups, item % sizes.groups, states, mixed); });
    share_out(sizes.chunks(), [&](int64_t chunk) {
        const int64_t token = chunk * chunk_tokens, rows = std::min(chunk_tokens, tokens - token);
        Scratch scratch;
        float* sums = scratch.floats(chunk_tokens * hidden);
        const uint16_t* states_in = elements(mixed) + token * width;
        if (kept) Packed(states.mixed, tokens, width).put(states_in, width, rows, width, token, 0);
        multiply({states_in, width}, output, rows, width, {sums, hidden});
        add_residual(sums, elements(x) + token * hidden, rows * hidden, mutable_elements(y) + token * hidden);
    });
    if (kept) *kept = states;
}

/// The gradients of one sample's heads that share keys, as left operands of the weights' gradients and, where wanted, by token.
struct HeadGradients {
    const TransposedStates &query, &key, &value;
    uint16_t* by_token;  ///< [tokens, (heads + 2 groups) * head_dim] or null

    void put(const TransposedStates& to, const uint16_t* grads, const Sizes& sizes, int64_t sample, int64_t head,
             int64_t first_head) const {
        to.put(grads, sizes.head_dim, sizes.seq, sizes.head_dim, sample * sizes.seq, head * sizes.head_dim);
        if (by_token == nullptr) return;
        const int64_t width = (sizes.heads + 2 * sizes.groups) * sizes.head_dim;
        for (int64_t row = 0; row < sizes.seq; ++row) {
            std::memcpy(by_token + (sample * sizes.seq + row) * width + (first_head + head) * sizes.head_dim, grads + row * sizes.head_dim,
                        static_cast<size_t>(sizes.head_dim) * sizeof(uint16_t));
        }
    }
};

void attend_backward(const Sizes& sizes, const Angles& angles, int64_t sample, int64_t group, const SelfAttentionStates& states,
                     const at::Tensor& grad_mixed, const HeadGradients& results) {
    const auto [seq, head_dim, shared] = std::tuple(sizes.seq, sizes.head_dim, sizes.heads / sizes.groups);
    const int64_t at_group = (sample * sizes.groups + group) * sizes.head_size(), across = spread(seq);
    Scratch scratch;
    uint16_t* keys = scratch.halves(sizes.head_size());
    uint16_t* values = scratch.halves(sizes.head_size());
    uint16_t* packed_grad = scratch.halves(sizes.head_size());
    uint16_t* packed_query = scratch.halves(sizes.head_size());
    uint16_t* grad_scores = scratch.halves(query_rows * seq);
    uint16_t* probabilities_t = scratch.halves(seq * across);
    uint16_t* grad_scores_t = scratch.halves(seq * across);
    uint16_t* rounded = scratch.halves(sizes.head_size());
    float* grad_probabilities = scratch.floats(query_rows * seq);
    float* grad_query = scratch.floats(sizes.head_size());
    float* grad_key = scratch.floats(sizes.head_size());
    float* grad_value = scratch.floats(sizes.head_size());
    pack_as_panel(elements(states.key) + at_group, seq, head_dim, keys);
    pack_transposed_as_panel(elements(states.value) + at_group, seq, head_dim, values);
    for (int64_t head = group * shared; head < (group + 1) * shared; ++head) {
        const int64_t at_head = (sample * sizes.heads + head) * sizes.head_size();
        const uint16_t* grad = elements(grad_mixed) + at_head;
        pack_as_panel(grad, seq, head_dim, packed_grad);
        pack_as_panel(elements(states.query) + at_head, seq, head_dim, packed_query);
        for (int64_t query = 0; query < seq; query += query_rows) {
            const int64_t rows = std::min(query_rows, seq - query), columns = query + rows;
            const uint16_t* seen = elements(states.probabilities) + ((sample * sizes.heads + head) * seq + query) * seq;
            multiply({grad + query * head_dim, head_dim}, {values, seq}, rows, columns, head_dim, {grad_probabilities, columns});
            softmax_backward(seen, seq, grad_probabilities, rows, columns, sizes.scale(), grad_scores, seq);
            multiply({grad_scores, seq}, {keys, head_dim}, rows, head_dim, columns, {grad_query + query * head_dim, head_dim});
            transpose(seen, seq, rows, columns, probabilities_t + query, across);
            transpose(grad_scores, seq, rows, columns, grad_scores_t + query, across);
        }
        // A key is seen by the queries from it on.
        const bool add = head > group * shared;
        for (int64_t key = 0; key < seq; key += query_rows) {
            const int64_t rows = std::min(query_rows, seq - key), from = key * across + key;
            multiply({probabilities_t + from, across}, {packed_grad + key * head_dim, head_dim}, rows, head_dim, seq - key,
                     {grad_value + key * head_dim, head_dim}, add);
            multiply({grad_scores_t + from, across}, {packed_query + key * head_dim, head_dim}, rows, head_dim, seq - key,
                     {grad_key + key * head_dim, head_dim}, add);
        }
        rotate_back(grad_query, angles, sample * seq, seq, rounded);
        results.put(results.query, rounded, sizes, sample, head, 0);
    }
    rotate_back(grad_key, angles, sample * seq, seq, rounded);
    results.put(results.key, rounded, sizes, sample, group, sizes.heads);
    narrow(grad_value, head_dim, seq, head_dim, rounded, head_dim);
    results.put(results.value, rounded, sizes, sample, group, sizes.heads + sizes.groups);
}

/// From the gradients by token to those of x.
void project_back(const SelfAttentionWeights& weights, const Sizes& sizes, const at::Tensor& x, const SelfAttentionStates& states,
                  const uint16_t* by_token, const at::Tensor& grad_y, const at::Tensor& grad_x) {
    const int64_t hidden = sizes.hidden, width = (sizes.heads + 2 * sizes.groups) * sizes.head_dim, chunk_tokens = sizes.chunk_tokens;
    const Packed packed[] = {Packed::plain(weights.query), Packed::plain(weights.key), Packed::plain(weights.value)};
    const int64_t columns[] = {weights.query.size(0), weights.key.size(0), weights.value.size(0)};
    share_out(sizes.chunks(), [&](int64_t chunk) {
        const int64_t token = chunk * chunk_tokens, rows = std::min(chunk_tokens, sizes.tokens - token);
        Scratch scratch;
        float* sums = scratch.floats(chunk_tokens * hidden);
        const uint16_t* grads = by_token + token * width;
        for (int64_t i = 0; i < 3; grads += columns[i++]) multiply({grads, width}, packed[i], rows, columns[i], {sums, hidden}, i > 0);
        const int64_t at = token * hidden;
        normalize_backward(sums, elements(grad_y) + at, elements(x) + at, elements(weights.norm),
                           states.inverse_rms.const_data_ptr<float>() + token, rows, hidden, mutable_elements(grad_x) + at);
    });
}

void backward(const SelfAttentionWeights& weights, const at::Tensor& x, const SelfAttentionStates& states, const at::Tensor& grad_y,
              SelfAttentionGradients& gradients) {
    const Sizes sizes(weights, x);
    const int64_t tokens = sizes.tokens, hidden = sizes.hidden, head_dim = sizes.head_dim, width = sizes.heads * head_dim;
    const int64_t chunk_tokens = sizes.chunk_tokens;
    const Angles angles(weights, sizes);
    const Packed output = Packed::plain(weights.output);
    const at::Tensor grad_mixed = recycled({tokens * width}, x.options());
    const auto transposed = [&](const at::Tensor& weight) { return TransposedStates(tokens, weight.size(0), x.options()); };
    const TransposedStates grad_y_t = transposed(weights.output), grad_query_t = transposed(weights.query),
                           grad_key_t = transposed(weights.key), grad_value_t = transposed(weights.value);
    share_out(sizes.chunks(), [&](int64_t chunk) {
        const int64_t token = chunk * chunk_tokens, rows = std::min(chunk_tokens, tokens - token);
        const uint16_t* grad = elements(grad_y) + token * hidden;
        Scratch scratch;
        float* sums = scratch.floats(chunk_tokens * head_dim);
        grad_y_t.put(grad, hidden, rows, hidden, token, 0);
        for (int64_t head = 0; head < sizes.heads; ++head) {
            multiply_head({grad, hidden}, output, head, head_dim, rows, hidden, sums);
            narrow_by_head(sums, token, rows, sizes, sizes.heads, head, mutable_elements(grad_mixed));
        }
    });
    at::Tensor by_token;
    if (gradients.x.defined()) by_token = recycled({tokens, (sizes.heads + 2 * sizes.groups) * head_dim}, x.options());
    const HeadGradients results{grad_query_t, grad_key_t, grad_value_t, by_token.defined() ? mutable_elements(by_token) : nullptr};
    share_out(sizes.batch * sizes.groups,
              [&](int64_t item) { attend_backward(sizes, angles, item / sizes.groups, item % sizes.groups, states, grad_mixed, results); });
    if (gradients.x.defined()) project_back(weights, sizes, x, states, elements(by_token), grad_y, gradients.x);
    const Packed mixed(states.mixed, tokens, width), normed(states.normed, tokens, hidden);
    weight_gradients({{grad_y_t, mixed, gradients.output},
                      {grad_query_t, normed, gradients.query},
                      {grad_key_t, normed, gradients.key},
                      {grad_value_t, normed, gradients.value}},
                     tokens);
}

/// The scores of a batch are kept for the backward: beyond this, an attention that never holds them is the better one.
constexpr int64_t most_scores = int64_t{64} << 20;

bool fits(const SelfAttentionWeights& weights, const at::Tensor& x) {
    if (!are_usable({x, weights.norm, weights.query, weights.key, weights.value, weights.output, weights.cos, weights.sin})) return false;
    if (x.dim() != 3 || weights.head_dim % 32 != 0 || weights.query.size(0) % weights.key.size(0) != 0) return false;
    const Sizes sizes(weights, x);
    return sizes.seq % 32 == 0 && sizes.tokens * sizes.heads * sizes.seq <= most_scores && weights.value.sizes() == weights.key.sizes() &&
           weights.cos.size(-2) == sizes.seq && (weights.cos.size(0) == 1 || weights.cos.size(0) == sizes.batch);
}

}  // namespace

}  // namespace calibench::cpu

#endif

namespace calibench {

const SelfAttentionKernels* self_attention_kernels(const SelfAttentionWeights& weights, const at::Tensor& x) {
#if defined(CALIBENCH_BF16_PRODUCTS)
    static const SelfAttentionKernels kernels{cpu::forward, cpu::backward};
    if (cpu::fits(weights, x)) return &kernels;
#endif
    return nullptr;
}

}  // namespace calibench
