#include "core/kernels/gated_mlp.h"

#include <algorithm>
#include <optional>
#include <vector>

#include <ATen/ATen.h>

#include "core/kernels/cpu/bf16_operands.h"
#include "core/kernels/cpu/bf16_products.h"
#include "core/kernels/cpu/bf16_residual.h"
#include "core/kernels/recycled.h"

#if defined(CALIBENCH_BF16_PRODUCTS)

namespace calibench::cpu {

namespace {

using namespace bf16;

/// Intermediate columns that are computed before down takes them.
constexpr int64_t group_columns = 512;

struct Sizes {
    int64_t tokens, hidden, intermediate, chunk_tokens;
    explicit Sizes(const GatedMlpWeights& weights, const at::Tensor& x)
        : tokens(x.numel() / x.size(-1)), hidden(x.size(-1)), intermediate(weights.gate.size(0)), chunk_tokens(chunk_of(tokens)) {}
    [[nodiscard]] int64_t chunks() const { return (tokens + chunk_tokens - 1) / chunk_tokens; }
};

/// What is computed between the products for one panel of some tokens.
struct PanelOfTokens {
    int64_t rows, width;
    int64_t stride;  ///< between rows of the results that the next product takes as left operand

    /// From the sums of gate and up, [rows, width] each: the activation, also packed in pairs of rows, and what the backward multiplies
    /// its gradient by, [rows, 2, width]; the latter two may be null.
    void activate(const float* gate, const float* up, uint16_t* activated, uint16_t* pairs, uint16_t* slopes) const;
    /// The gradients of gate and up from that of the activation, as rows and packed in pairs of them.
    void activate_backward(const float* grad, const uint16_t* slopes, uint16_t* gate, uint16_t* up, uint16_t* gate_pairs,
                           uint16_t* up_pairs) const;
};

CALIBENCH_TARGET_BF16 void PanelOfTokens::activate(const float* gate, const float* up, uint16_t* activated, uint16_t* pairs,
                                                   uint16_t* slopes) const {
    for (int64_t row = 0; row < rows; row += 2) {
        for (int64_t i = 0; i < width; i += 16) {
            Half results[2];
            for (int64_t r = 0; r < 2; ++r) {
                const auto x = rounded(load(gate + (row + r) * width + i)), factor = rounded(load(up + (row + r) * width + i));
                const auto share = reciprocal(1.0f + exp(-x));
                const auto silu = rounded(x * share);
                results[r] = narrowed(silu * factor);
                store(activated + (row + r) * stride + i, results[r]);
                if (slopes == nullptr) continue;
                store(slopes + (row + r) * 2 * width + i, factor * share * (1.0f + x * (1.0f - share)));
                store(slopes + (row + r) * 2 * width + width + i, silu);
            }
            if (pairs) store_pairs(pairs + row * width + 2 * i, results[0], results[1]);
        }
    }
}

CALIBENCH_TARGET_BF16 void PanelOfTokens::activate_backward(const float* grad, const uint16_t* slopes, uint16_t* gate, uint16_t* up,
                                                            uint16_t* gate_pairs, uint16_t* up_pairs) const {
    for (int64_t row = 0; row < rows; row += 2) {
        for (int64_t i = 0; i < width; i += 16) {
            Half gates[2], ups[2];
            for (int64_t r = 0; r < 2; ++r) {
                const auto g = load(grad + (row + r) * width + i);
                const uint16_t* slope = slopes + (row + r) * 2 * width + i;
                gates[r] = narrowed(g * load(slope));
                ups[r] = narrowed(g * load(slope + width));
                store(gate + (row + r) * stride + i, gates[r]);
                store(up + (row + r) * stride + i, ups[r]);
            }
            store_pairs(gate_pairs + row * width + 2 * i, gates[0], gates[1]);
            store_pairs(up_pairs + row * width + 2 * i, ups[0], ups[1]);
        }
    }
}

void forward(const GatedMlpWeights& weights, const at::Tensor& x, at::Tensor& y, GatedMlpStates* states) {
    const Sizes sizes(weights, x);
    const auto [tokens, hidden, intermediate, chunk_tokens] = sizes;
    const Packed gate = Packed::transposed(weights.gate), up = Packed::transposed(weights.up), down = Packed::transposed(weights.down);
    const at::Tensor inverse_rms = recycled({tokens}, x.options().dtype(at::kFloat));
    std::optional<TransposedStates> normed_states;
    std::optional<Packed> activated_states;
    uint16_t* slopes = nullptr;
    if (states) {
        normed_states.emplace(tokens, hidden, x.options());
        activated_states.emplace(tokens, intermediate, x.options());
        *states = {inverse_rms, normed_states->states(), activated_states->panels(), recycled({tokens * intermediate * 2}, x.options())};
        slopes = mutable_elements(states->slopes);
    }
    const int64_t normed_stride = spread(hidden), group_stride = spread(group_columns);
    share_out(sizes.chunks(), [&](int64_t chunk) {
        const int64_t token = chunk * chunk_tokens, rows = std::min(chunk_tokens, tokens - token);
        Scratch scratch;
        uint16_t* normed = scratch.halves(chunk_tokens * normed_stride);
        uint16_t* activated = scratch.halves(chunk_tokens * group_stride);
        float* gate_sums = scratch.floats(chunk_tokens * panel_columns);
        float* up_sums = scratch.floats(chunk_tokens * panel_columns);
        float* sums = scratch.floats(chunk_tokens * hidden);
        normalize(elements(x) + token * hidden, elements(weights.norm), weights.eps, rows, hidden, normed, normed_stride,
                  inverse_rms.mutable_data_ptr<float>() + token);
        if (states) normed_states->put(normed, normed_stride, rows, hidden, token, 0);
        for (int64_t begin = 0; begin < intermediate; begin += group_columns) {
            const int64_t columns = std::min(group_columns, intermediate - begin);
            for (int64_t column = begin; column < begin + columns; column += panel_columns) {
                const Right gate_panel = gate.panel(column), up_panel = up.panel(column);
                const int64_t width = gate_panel.width;
                multiply({normed, normed_stride}, gate_panel, rows, hidden, {gate_sums, width});
                multiply({normed, normed_stride}, up_panel, rows, hidden, {up_sums, width});
                PanelOfTokens{rows, width, group_stride}.activate(gate_sums, up_sums, activated + column - begin,
                                                                  states ? activated_states->at(column, token) : nullptr,
                                                                  states ? slopes + 2 * (column * tokens + token * width) : nullptr);
            }
            multiply({activated, group_stride}, down, rows, columns, {sums, hidden}, begin > 0, begin);
        }
        add_residual(sums, elements(x) + token * hidden, rows * hidden, mutable_elements(y) + token * hidden);
    });
}

void tapped_forward(const GatedMlpWeights& weights, const at::Tensor& x, const GatedMlpTaps& taps, at::Tensor& y) {
    const Sizes sizes(weights, x);
    const auto [tokens, hidden, intermediate, chunk_tokens] = sizes;
    const Packed gate = Packed::transposed(weights.gate), up = Packed::transposed(weights.up), down = Packed::transposed(weights.down);
    const at::Tensor normed = normalized(x, weights.norm, weights.eps);
    const at::Tensor gate_input = tapped(normed, taps.gate), up_input = tapped(normed, taps.up);
    std::vector<int64_t> shape = x.sizes().vec();
    shape.back() = intermediate;
    const at::Tensor activated = recycled(shape, x.options());
    share_out(sizes.chunks(), [&](int64_t chunk) {
        const int64_t token = chunk * chunk_tokens, rows = std::min(chunk_tokens, tokens - token);
        Scratch scratch;
        float* gate_sums = scratch.floats(chunk_tokens * panel_columns);
        float* up_sums = scratch.floats(chunk_tokens * panel_columns);
        for (int64_t column = 0; column < intermediate; column += panel_columns) {
            const Right gate_panel = gate.panel(column), up_panel = up.panel(column);
            multiply({elements(gate_input) + token * hidden, hidden}, gate_panel, rows, hidden, {gate_sums, gate_panel.width});
            multiply({elements(up_input) + token * hidden, hidden}, up_panel, rows, hidden, {up_sums, up_panel.width});
            PanelOfTokens{rows, gate_panel.width, intermediate}.activate(
                gate_sums, up_sums, mutable_elements(activated) + token * intermediate + column, nullptr, nullptr);
        }
    });
    const at::Tensor down_input = tapped(activated, taps.down);
    share_out(sizes.chunks(), [&](int64_t chunk) {
        const int64_t token = chunk * chunk_tokens, rows = std::min(chunk_tokens, tokens - token);
        Scratch scratch;
        float* sums = scratch.floats(chunk_tokens * hidden);
        for (int64_t begin = 0; begin < intermediate; begin += group_columns) {
            multiply({elements(down_input) + token * intermediate + begin, intermediate}, down, rows,
                     std::min(group_columns, intermediate - begin), {sums, hidden}, begin > 0, begin);
        }
        add_residual(sums, elements(x) + token * hidden, rows * hidden, mutable_elements(y) + token * hidden);
    });
}

void backward(const GatedMlpWeights& weights, const at::Tensor& x, const GatedMlpStates& states, const at::Tensor& grad_y,
              GatedMlpGradients& gradients) {
    const Sizes sizes(weights, x);
    const auto [tokens, hidden, intermediate, chunk_tokens] = sizes;
    const Packed gate = Packed::plain(weights.gate), up = Packed::plain(weights.up), down = Packed::plain(weights.down);
    const TransposedStates grad_y_states(tokens, hidden, x.options());
    const Packed grad_gate_states(tokens, intermediate, x.options()), grad_up_states(tokens, intermediate, x.options());
    const int64_t group_stride = spread(group_columns);
    share_out(sizes.chunks(), [&](int64_t chunk) {
        const int64_t token = chunk * chunk_tokens, rows = std::min(chunk_tokens, tokens - token);
        Scratch scratch;
        uint16_t* grad_gate = scratch.halves(chunk_tokens * group_stride);
        uint16_t* grad_up = scratch.halves(chunk_tokens * group_stride);
        float* panel_sums = scratch.floats(chunk_tokens * panel_columns);
        float* sums = scratch.floats(chunk_tokens * hidden);
        const uint16_t* grad = elements(grad_y) + token * hidden;
        grad_y_states.put(grad, hidden, rows, hidden, token, 0);
        for (int64_t begin = 0; begin < intermediate; begin += group_columns) {
            const int64_t columns = std::min(group_columns, intermediate - begin);
            for (int64_t column = begin; column < begin + columns; column += panel_columns) {
                const Right down_panel = down.panel(column);
                const int64_t width = down_panel.width;
                multiply({grad, hidden}, down_panel, rows, hidden, {panel_sums, width});
                PanelOfTokens{rows, width, group_stride}.activate_backward(
                    panel_sums, elements(states.slopes) + 2 * (column * tokens + token * width), grad_gate + column - begin,
                    grad_up + column - begin, grad_gate_states.at(column, token), grad_up_states.at(column, token));
            }
            multiply({grad_gate, group_stride}, gate, rows, columns, {sums, hidden}, begin > 0, begin);
            multiply({grad_up, group_stride}, up, rows, columns, {sums, hidden}, true, begin);
        }
        normalize_backward(sums, grad, elements(x) + token * hidden, elements(weights.norm),
                           states.inverse_rms.const_data_ptr<float>() + token, rows, hidden,
                           mutable_elements(gradients.x) + token * hidden);
    });
    const TransposedStates normed(states.normed);
    weight_gradients({{grad_y_states, Packed(states.activated, tokens, intermediate), gradients.down},
                      {normed, grad_gate_states, gradients.gate, true},
                      {normed, grad_up_states, gradients.up, true}},
                     tokens);
}

bool fits(const GatedMlpWeights& weights, const at::Tensor& x) {
    const Sizes sizes(weights, x);
    return are_usable({x, weights.norm, weights.gate, weights.up, weights.down}) && weights.up.sizes() == weights.gate.sizes() &&
           sizes.tokens % 32 == 0;
}

}  // namespace

}  // namespace calibench::cpu

#endif

namespace calibench {

const GatedMlpKernels* gated_mlp_kernels(const GatedMlpWeights& weights, const at::Tensor& x) {
#if defined(CALIBENCH_BF16_PRODUCTS)
    static const GatedMlpKernels kernels{cpu::forward, cpu::tapped_forward, cpu::backward};
    if (cpu::fits(weights, x)) return &kernels;
#endif
    return nullptr;
}

}  // namespace calibench
