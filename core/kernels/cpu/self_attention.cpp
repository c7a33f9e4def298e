#include "core/kernels/self_attention.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include <ATen/ATen.h>

#include "core/kernels/cpu/bf16_attention.h"
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
    /// Calls body(first row, its token, number of rows) for each sample's part of a chunk of tokens.
    template <typename Body>
    void by_sample(int64_t token, int64_t rows, const Body& body) const {
        for (int64_t row = 0; row < rows;) {
            const int64_t count = std::min(rows - row, seq - (token + row) % seq);
            body(row, token + row, count);
            row += count;
        }
    }
    [[nodiscard]] float scale() const { return static_cast<float>(1.0 / std::sqrt(static_cast<double>(head_dim))); }
};

/// Angles of tokens from one on, as far as its sample goes.
Angles angles_from(int64_t token, const SelfAttentionWeights& weights, const Sizes& sizes) {
    const int64_t at = (weights.cos.size(0) > 1 ? token : token % sizes.seq) * sizes.head_dim;
    return {elements(weights.cos) + at, elements(weights.sin) + at, sizes.head_dim};
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
            Scores{query, rows, columns, sizes.scale(), seq}.softmax(scores, seen);
            multiply({seen, seq}, {values, head_dim}, rows, head_dim, columns, {sums, head_dim});
            narrow(sums, head_dim, rows, head_dim, mutable_elements(mixed) + ((sample * seq + query) * sizes.heads + head) * head_dim,
                   sizes.heads * head_dim);
        }
    }
}

/// The projections of some tokens to their heads.
struct Projections {
    const SelfAttentionWeights& weights;
    const Sizes& sizes;
    const SelfAttentionStates& states;
    Packed query = Packed::transposed(weights.query), key = Packed::transposed(weights.key), value = Packed::transposed(weights.value);

    /// `sums` is for the chunk's results of one head.
    void to_queries(Left input, int64_t token, int64_t rows, float* sums) const {
        project(input, token, rows, sums, query, weights.query_bias, sizes.heads, states.query, true);
    }
    void to_keys(Left input, int64_t token, int64_t rows, float* sums) const {
        project(input, token, rows, sums, key, weights.key_bias, sizes.groups, states.key, true);
    }
    void to_values(Left input, int64_t token, int64_t rows, float* sums) const {
        project(input, token, rows, sums, value, weights.value_bias, sizes.groups, states.value, false);
    }

private:
    void project(Left input, int64_t token, int64_t rows, float* sums, const Packed& weight, const at::Tensor& bias, int64_t count,
                 const at::Tensor& results, bool is_rotated) const {
        const int64_t head_dim = sizes.head_dim;
        for (int64_t head = 0; head < count; ++head) {
            multiply_head(input, weight, head, head_dim, rows, sizes.hidden, sums);
            if (bias.defined()) add_bias(elements(bias) + head * head_dim, rows, head_dim, sums);
            sizes.by_sample(token, rows, [&](int64_t row, int64_t first, int64_t part) {
                uint16_t* to = mutable_elements(results) + sizes.state_at(count, head, first);
                if (is_rotated)
                    rotate(sums + row * head_dim, angles_from(first, weights, sizes), part, to);
                else
                    narrow(sums + row * head_dim, head_dim, part, head_dim, to, head_dim);
            });
        }
    }
};

SelfAttentionStates make_states(const Sizes& sizes, const at::TensorOptions& options, bool for_backward) {
    const auto empty = [&](int64_t count) { return recycled({count}, options); };
    const int64_t tokens = sizes.tokens, width = sizes.heads * sizes.head_dim, shared = sizes.groups * sizes.head_dim;
    return {.inverse_rms = recycled({tokens}, options.dtype(at::kFloat)),
            .normed = for_backward ? TransposedStates(tokens, sizes.hidden, options).states() : at::Tensor(),
            .mixed = for_backward ? empty(tokens * width) : at::Tensor(),
            .query = empty(tokens * width),
            .key = empty(tokens * shared),
            .value = empty(tokens * shared),
            .probabilities = empty(sizes.batch * sizes.heads * sizes.seq * sizes.seq)};
}

void attend_all(const Sizes& sizes, const SelfAttentionStates& states, const at::Tensor& mixed) {
    share_out(sizes.batch * sizes.groups, [&](int64_t item) { attend(sizes, item / sizes.groups, item % sizes.groups, states, mixed); });
}

void project_output(const SelfAttentionWeights& weights, const Sizes& sizes, const at::Tensor& x, const at::Tensor& mixed, at::Tensor& y,
                    const std::optional<Packed>& kept) {
    const int64_t hidden = sizes.hidden, width = sizes.heads * sizes.head_dim;
    const Packed output = Packed::transposed(weights.output);
    share_out(sizes.chunks(), [&](int64_t chunk) {
        const int64_t token = chunk * sizes.chunk_tokens, rows = std::min(sizes.chunk_tokens, sizes.tokens - token);
        Scratch scratch;
        float* sums = scratch.floats(sizes.chunk_tokens * hidden);
        const uint16_t* states_in = elements(mixed) + token * width;
        if (kept) kept->put(states_in, width, rows, width, token, 0);
        multiply({states_in, width}, output, rows, width, {sums, hidden});
        add_residual(sums, elements(x) + token * hidden, rows * hidden, mutable_elements(y) + token * hidden);
    });
}

void forward(const SelfAttentionWeights& weights, const at::Tensor& x, at::Tensor& y, SelfAttentionStates* kept) {
    const Sizes sizes(weights, x);
    const int64_t tokens = sizes.tokens, hidden = sizes.hidden, width = sizes.heads * sizes.head_dim, chunk_tokens = sizes.chunk_tokens;
    const SelfAttentionStates states = make_states(sizes, x.options(), kept != nullptr);
    const Projections projections{weights, sizes, states};
    const at::Tensor mixed = recycled({tokens * width}, x.options());
    share_out(sizes.chunks(), [&](int64_t chunk) {
        const int64_t token = chunk * chunk_tokens, rows = std::min(chunk_tokens, tokens - token), stride = spread(hidden);
        Scratch scratch;
        uint16_t* normed = scratch.halves(chunk_tokens * stride);
        float* sums = scratch.floats(chunk_tokens * sizes.head_dim);
        normalize(elements(x) + token * hidden, elements(weights.norm), weights.eps, rows, hidden, normed, stride,
                  states.inverse_rms.mutable_data_ptr<float>() + token);
        if (kept) TransposedStates(states.normed).put(normed, stride, rows, hidden, token, 0);
        projections.to_queries({normed, stride}, token, rows, sums);
        projections.to_keys({normed, stride}, token, rows, sums);
        projections.to_values({normed, stride}, token, rows, sums);
    });
    attend_all(sizes, states, mixed);
    project_output(weights, sizes, x, mixed, y, kept ? std::optional(Packed(states.mixed, tokens, width)) : std::nullopt);
    if (kept) *kept = states;
}

void tapped_forward(const SelfAttentionWeights& weights, const at::Tensor& x, const SelfAttentionTaps& taps, at::Tensor& y) {
    const Sizes sizes(weights, x);
    const SelfAttentionStates states = make_states(sizes, x.options(), /*for_backward=*/false);
    const Projections projections{weights, sizes, states};
    const at::Tensor mixed = recycled({sizes.batch, sizes.seq, sizes.heads * sizes.head_dim}, x.options());
    {
        const at::Tensor normed = normalized(x, weights.norm, weights.eps);
        const at::Tensor query_input = tapped(normed, taps.query), key_input = tapped(normed, taps.key), value_input = tapped(normed, taps.value);
        share_out(sizes.chunks(), [&](int64_t chunk) {
            const int64_t token = chunk * sizes.chunk_tokens, rows = std::min(sizes.chunk_tokens, sizes.tokens - token);
            Scratch scratch;
            float* sums = scratch.floats(sizes.chunk_tokens * sizes.head_dim);
            const auto input = [&](const at::Tensor& all) { return Left{elements(all) + token * sizes.hidden, sizes.hidden}; };
            projections.to_queries(input(query_input), token, rows, sums);
            projections.to_keys(input(key_input), token, rows, sums);
            projections.to_values(input(value_input), token, rows, sums);
        });
    }
    attend_all(sizes, states, mixed);
    project_output(weights, sizes, x, tapped(mixed, taps.output), y, std::nullopt);
}

/// The gradients of one sample's heads that share keys, as right operands of the weights' gradients and, where wanted, by token.
struct HeadGradients {
    const Packed &query, &key, &value;
    uint16_t* by_token;  ///< [tokens, (heads + 2 groups) * head_dim] or null

    void put(const Packed& to, const uint16_t* grads, const Sizes& sizes, int64_t sample, int64_t head, int64_t first_head) const {
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
    uint16_t* grad_across = scratch.halves(head_dim * across);
    uint16_t* query_across = scratch.halves(head_dim * across);
    uint16_t* grad_scores = scratch.halves(query_rows * seq);
    uint16_t* score_pairs = scratch.halves(seq * seq);
    uint16_t* probability_pairs = scratch.halves(seq * seq);
    uint16_t* narrow_states = scratch.halves(sizes.head_size());
    uint16_t* turned = scratch.halves(sizes.head_size());
    float* grad_probabilities = scratch.floats(query_rows * seq);
    float* grad_query = scratch.floats(sizes.head_size());
    float* grad_key_across = scratch.floats(sizes.head_size());
    float* grad_value_across = scratch.floats(sizes.head_size());
    pack_as_panel(elements(states.key) + at_group, seq, head_dim, keys);
    pack_transposed_as_panel(elements(states.value) + at_group, seq, head_dim, values);
    for (int64_t head = group * shared; head < (group + 1) * shared; ++head) {
        const int64_t at_head = (sample * sizes.heads + head) * sizes.head_size();
        const uint16_t* grad = elements(grad_mixed) + at_head;
        transpose(grad, head_dim, seq, head_dim, grad_across, across);
        transpose(elements(states.query) + at_head, head_dim, seq, head_dim, query_across, across);
        for (int64_t query = 0; query < seq; query += query_rows) {
            const int64_t rows = std::min(query_rows, seq - query), columns = query + rows;
            const uint16_t* seen = elements(states.probabilities) + ((sample * sizes.heads + head) * seq + query) * seq;
            multiply({grad + query * head_dim, head_dim}, {values, seq}, rows, columns, head_dim, {grad_probabilities, columns});
            Scores{query, rows, columns, sizes.scale(), seq}.softmax_backward(seen, grad_probabilities, grad_scores,
                                                                              score_pairs + query * seq, probability_pairs + query * seq);
            multiply({grad_scores, seq}, {keys, head_dim}, rows, head_dim, columns, {grad_query + query * head_dim, head_dim});
        }
        // A key is seen by the queries from it on.
        const bool add = head > group * shared;
        for (int64_t key = 0; key < seq; key += query_rows) {
            const int64_t columns = std::min(query_rows, seq - key), from = key * seq + 2 * key;
            multiply({grad_across + key, across}, {probability_pairs + from, seq}, head_dim, columns, seq - key,
                     {grad_value_across + key, seq}, add);
            multiply({query_across + key, across}, {score_pairs + from, seq}, head_dim, columns, seq - key, {grad_key_across + key, seq},
                     add);
        }
        rotate_back(grad_query, angles, seq, turned);
        results.put(results.query, turned, sizes, sample, head, 0);
    }
    narrow_transposed(grad_key_across, seq, head_dim, seq, narrow_states, head_dim);
    rotate_back(narrow_states, angles, seq, turned);
    results.put(results.key, turned, sizes, sample, group, sizes.heads);
    narrow_transposed(grad_value_across, seq, head_dim, seq, narrow_states, head_dim);
    results.put(results.value, narrow_states, sizes, sample, group, sizes.heads + sizes.groups);
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
    const Packed output = Packed::plain(weights.output);
    const at::Tensor grad_mixed = recycled({tokens * width}, x.options());
    const auto packed_like = [&](const at::Tensor& weight) { return Packed(tokens, weight.size(0), x.options()); };
    const TransposedStates grad_y_states(tokens, hidden, x.options());
    const Packed grad_query = packed_like(weights.query), grad_key = packed_like(weights.key), grad_value = packed_like(weights.value);
    share_out(sizes.chunks(), [&](int64_t chunk) {
        const int64_t token = chunk * chunk_tokens, rows = std::min(chunk_tokens, tokens - token);
        const uint16_t* grad = elements(grad_y) + token * hidden;
        Scratch scratch;
        float* sums = scratch.floats(chunk_tokens * head_dim);
        grad_y_states.put(grad, hidden, rows, hidden, token, 0);
        for (int64_t head = 0; head < sizes.heads; ++head) {
            multiply_head({grad, hidden}, output, head, head_dim, rows, hidden, sums);
            sizes.by_sample(token, rows, [&](int64_t row, int64_t first, int64_t part) {
                uint16_t* to = mutable_elements(grad_mixed) + sizes.state_at(sizes.heads, head, first);
                narrow(sums + row * head_dim, head_dim, part, head_dim, to, head_dim);
            });
        }
    });
    at::Tensor by_token;
    if (gradients.x.defined()) by_token = recycled({tokens, (sizes.heads + 2 * sizes.groups) * head_dim}, x.options());
    const HeadGradients results{grad_query, grad_key, grad_value, by_token.defined() ? mutable_elements(by_token) : nullptr};
    share_out(sizes.batch * sizes.groups, [&](int64_t item) {
        const int64_t sample = item / sizes.groups;
        attend_backward(sizes, angles_from(sample * sizes.seq, weights, sizes), sample, item % sizes.groups, states, grad_mixed, results);
    });
    if (gradients.x.defined()) project_back(weights, sizes, x, states, elements(by_token), grad_y, gradients.x);
    const TransposedStates normed(states.normed);
    weight_gradients({{grad_y_states, Packed(states.mixed, tokens, width), gradients.output},
                      {normed, grad_query, gradients.query, true},
                      {normed, grad_key, gradients.key, true},
                      {normed, grad_value, gradients.value, true}},
                     tokens);
}

/// The scores of a batch are kept for the backward: beyond this, an attention that never holds them is the better one.
constexpr int64_t most_scores = int64_t{64} << 20;

bool fits(const SelfAttentionWeights& weights, const at::Tensor& x) {
    if (!are_usable({x, weights.norm, weights.query, weights.key, weights.value, weights.output, weights.cos, weights.sin})) return false;
    for (const at::Tensor& bias : {weights.query_bias, weights.key_bias, weights.value_bias}) {
        if (bias.defined() && !are_usable({bias})) return false;
    }
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
    static const SelfAttentionKernels kernels{cpu::forward, cpu::tapped_forward, cpu::backward};
    if (cpu::fits(weights, x)) return &kernels;
#endif
    return nullptr;
}

}  // namespace calibench
