#include "core/models/attention.h"

#include <ATen/ATen.h>

namespace calibench {

AttentionMask make_attention_mask(const at::Tensor& padding_mask, std::optional<int64_t> window, int64_t seq,
                                  at::Device device) {
    const bool padded = padding_mask.defined() && !padding_mask.all().item<bool>();
    const bool windowed = window && *window < seq;
    if (!padded && !windowed) return {};

    const at::Tensor position = at::arange(seq, at::TensorOptions(at::kLong).device(device));
    const at::Tensor distance = position.unsqueeze(1) - position.unsqueeze(0);  // query - key
    at::Tensor allowed = distance >= 0;
    if (windowed) allowed = allowed.logical_and(distance < *window);
    allowed = allowed.unsqueeze(0).unsqueeze(0);
    if (padded) {
        const at::Tensor is_token = padding_mask.to(device, at::kBool).unsqueeze(1).unsqueeze(1);  // [batch, 1, 1, seq]
        allowed = allowed.logical_and(is_token.logical_or(distance == 0));
    }
    return {false, allowed};
}

at::Tensor Attention::forward(const at::Tensor& hidden, const SequenceContext& context) const {
    const int64_t batch = hidden.size(0);
    const int64_t seq = hidden.size(1);
    const auto heads = [&](const at::Tensor& projected, int64_t count, const std::optional<RmsNorm>& norm) {
        const at::Tensor split = projected.view({batch, seq, count, head_dim});
        return (norm ? norm->forward(split) : split).transpose(1, 2);  // [batch, count, seq, head_dim]
    };
    const auto angles = rotary->angles(context.position_ids, seq, hidden.scalar_type(), hidden.device());
    const at::Tensor query = RotaryEmbedding::rotate(heads(q_proj.forward(hidden), num_heads, q_norm), angles);
    const at::Tensor key = taps.key.pass(RotaryEmbedding::rotate(heads(k_proj.forward(hidden), num_key_value_heads, k_norm), angles));
    const at::Tensor value = taps.value.pass(heads(v_proj.forward(hidden), num_key_value_heads, std::nullopt));

    const AttentionMask mask = make_attention_mask(context.attention_mask, window, seq, hidden.device());
    const std::optional<at::Tensor> allowed = mask.causal_only ? std::nullopt : std::optional(mask.allowed);
    const at::Tensor mixed = at::scaled_dot_product_attention(query, key, value, allowed, /*dropout_p=*/0.0, mask.causal_only,
                                                              /*scale=*/std::nullopt, /*enable_gqa=*/num_heads != num_key_value_heads);
    return o_proj.forward(mixed.transpose(1, 2).reshape({batch, seq, num_heads * head_dim}));
}

}  // namespace calibench
