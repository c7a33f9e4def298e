#include "core/models/attention.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "core/models/fused_halves.h"
#include "core/models/fused_ops.h"

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
        return norm ? norm->forward(split) : split;  // [batch, seq, count, head_dim]
    };
    const auto angles = rotary->angles(context.position_ids, seq, hidden.scalar_type(), hidden.device());
    const at::Tensor query = heads(q_proj.forward(hidden), num_heads, q_norm);
    const at::Tensor key = heads(k_proj.forward(hidden), num_key_value_heads, k_norm);
    const at::Tensor value = heads(v_proj.forward(hidden), num_key_value_heads, std::nullopt);
    const AttentionMask mask = make_attention_mask(context.attention_mask, window, seq, hidden.device());
    const bool tapped = taps.key.in_use() || taps.value.in_use();
    if (mask.causal_only && !tapped && causal_attention_takes(query, key, angles))
        return o_proj.forward(causal_attention(query, key, value, angles));
    return o_proj.forward(attend(query, key, value, angles, mask));
}

at::Tensor Attention::residual_forward(const at::Tensor& hidden, const RmsNorm& norm, const SequenceContext& context) const {
    const auto all = [this](auto is) { return is(q_proj) && is(k_proj) && is(v_proj) && is(o_proj); };
    const bool untouched = all([](const Linear& linear) { return linear.is_untouched(); });
    const bool may_be_tapped = !c10::GradMode::is_enabled() && all([](const Linear& linear) { return linear.has_free_output(); });
    const bool is_usual = !o_proj.bias.defined() && !q_norm && !k_norm && !taps.key.in_use() && !taps.value.in_use();
    if (is_usual && (untouched || may_be_tapped) && make_attention_mask(context.attention_mask, window, hidden.size(1), hidden.device()).causal_only) {
        const auto angles = rotary->angles(context.position_ids, hidden.size(1), hidden.scalar_type(), hidden.device());
        const SelfAttentionWeights weights{
            .norm = norm.weight,
            .query = q_proj.weight,
            .key = k_proj.weight,
            .value = v_proj.weight,
            .output = o_proj.weight,
            .cos = angles.cos,
            .sin = angles.sin,
            .head_dim = head_dim,
            .eps = norm.eps,
            .query_bias = q_proj.bias,
            .key_bias = k_proj.bias,
            .value_bias = v_proj.bias,
        };
        const auto y = untouched ? fused_attention_half(weights, hidden)
                                 : fused_attention_half(weights, hidden, {q_proj.tap(), k_proj.tap(), v_proj.tap(), o_proj.tap()});
        if (y) return *y;
    }
    return hidden + forward(norm.forward(hidden), context);
}

at::Tensor Attention::attend(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                             const RotaryEmbedding::Angles& angles, const AttentionMask& mask) const {
    const at::Tensor rotated_query = RotaryEmbedding::rotate(query.transpose(1, 2), angles);
    const at::Tensor rotated_key = taps.key.pass(RotaryEmbedding::rotate(key.transpose(1, 2), angles));
    const at::Tensor passed_value = taps.value.pass(value.transpose(1, 2));
    const std::optional<at::Tensor> allowed = mask.causal_only ? std::nullopt : std::optional(mask.allowed);
    const at::Tensor mixed = at::scaled_dot_product_attention(rotated_query, rotated_key, passed_value, allowed, /*dropout_p=*/0.0,
                                                              mask.causal_only, /*scale=*/std::nullopt,
                                                              /*enable_gqa=*/num_heads != num_key_value_heads);
    return mixed.transpose(1, 2).reshape({query.size(0), query.size(1), num_heads * head_dim});
}

}  // namespace calibench
