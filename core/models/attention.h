#pragma once

#include <optional>
#include <vector>

#include "core/models/causal_lm.h"
#include "core/models/layers.h"
#include "core/models/rotary.h"

namespace calibench {

/// Which keys a query may see, as scaled_dot_product_attention wants it.
struct AttentionMask {
    bool causal_only = true;  ///< nothing but the causal rule: `allowed` is undefined
    at::Tensor allowed;       ///< bool [1 or batch, 1, seq, seq]
};
/// `window`: a query sees itself and the window - 1 tokens before it. Padding: see SequenceContext. A padded position sees
/// itself, so that no row of the softmax is empty.
[[nodiscard]] AttentionMask make_attention_mask(const at::Tensor& padding_mask, std::optional<int64_t> window, int64_t seq,
                                                at::Device device);

/// Causal self-attention with grouped key/value heads and rotary positions.
struct Attention {
    Linear q_proj, k_proj, v_proj, o_proj;
    std::optional<RmsNorm> q_norm, k_norm;  ///< over each head
    int64_t num_heads = 0;
    int64_t num_key_value_heads = 0;
    int64_t head_dim = 0;
    std::optional<int64_t> window;
    const RotaryEmbedding* rotary = nullptr;  ///< the model's
    KeyValueTaps taps;

    /// hidden [batch, seq, hidden_size] -> the same shape.
    [[nodiscard]] at::Tensor forward(const at::Tensor& hidden, const SequenceContext& context) const;
    /// hidden + forward(norm(hidden)): a block's first half.
    [[nodiscard]] at::Tensor residual_forward(const at::Tensor& hidden, const RmsNorm& norm, const SequenceContext& context) const;
    [[nodiscard]] std::vector<Linear*> linears() { return {&q_proj, &k_proj, &v_proj, &o_proj}; }

private:
    /// Any mask, any length, watched or not: states [batch, seq, heads, head_dim] -> [batch, seq, heads * head_dim].
    [[nodiscard]] at::Tensor attend(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                                    const RotaryEmbedding::Angles& angles, const AttentionMask& mask) const;
};

}  // namespace calibench
