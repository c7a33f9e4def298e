#include "core/models/decoder_block.h"

#include <ATen/ATen.h>

#include "core/base/text.h"
#include "core/models/attention.h"
#include "core/models/feed_forward.h"

namespace calibench {

namespace {

/// The modules of one block by their names within it ("self_attn.q_proj").
class BlockParts {
public:
    BlockParts(const WeightStore& store, int64_t index)
        : store_(store), name_(block_name(index)), specs_(block_modules(store.config(), index)) {
        for (const ModuleSpec& spec : specs_) by_name_.emplace(spec.name.substr(name_.size() + 1), &spec);
    }

    [[nodiscard]] const std::string& name() const { return name_; }
    [[nodiscard]] bool has(const std::string& part) const { return by_name_.count(part) != 0; }
    [[nodiscard]] Linear linear(const std::string& part) const { return store_.linear(*by_name_.at(part)); }
    [[nodiscard]] RmsNorm norm(const std::string& part) const { return store_.norm(*by_name_.at(part)); }
    [[nodiscard]] std::optional<RmsNorm> norm_if_any(const std::string& part) const {
        return has(part) ? std::optional(norm(part)) : std::nullopt;
    }
    [[nodiscard]] at::Tensor weight(const std::string& part) const { return store_.weight(*by_name_.at(part)); }
    [[nodiscard]] KeyValueTaps key_value_taps() const { return store_.key_value_taps(name_ + ".self_attn"); }
    void release() const {
        for (const ModuleSpec& spec : specs_) store_.release(spec);
    }

private:
    const WeightStore& store_;
    std::string name_;
    std::vector<ModuleSpec> specs_;
    std::map<std::string, const ModuleSpec*> by_name_;
};

Attention load_attention(const BlockParts& parts, const ModelConfig& config, const RotaryEmbedding& rotary, int64_t index) {
    Attention attention;
    attention.q_proj = parts.linear("self_attn.q_proj");
    attention.k_proj = parts.linear("self_attn.k_proj");
    attention.v_proj = parts.linear("self_attn.v_proj");
    attention.o_proj = parts.linear("self_attn.o_proj");
    attention.q_norm = parts.norm_if_any("self_attn.q_norm");
    attention.k_norm = parts.norm_if_any("self_attn.k_norm");
    attention.num_heads = config.num_attention_heads;
    attention.num_key_value_heads = config.num_key_value_heads;
    attention.head_dim = config.head_dim;
    if (!config.sliding_window.empty()) attention.window = config.sliding_window[static_cast<size_t>(index)];
    attention.rotary = &rotary;
    attention.taps = parts.key_value_taps();
    return attention;
}

std::unique_ptr<FeedForward> load_mlp(const BlockParts& parts, const ModelConfig& config, const std::string& prefix) {
    return std::make_unique<GatedMlp>(parts.linear(prefix + ".gate_proj"), parts.linear(prefix + ".up_proj"),
                                      parts.linear(prefix + ".down_proj"), find_gated_activation(config.hidden_act));
}

std::unique_ptr<FeedForward> load_feed_forward(const BlockParts& parts, const ModelConfig& config) {
    if (!parts.has("mlp.gate")) return load_mlp(parts, config, "mlp");
    std::vector<std::unique_ptr<FeedForward>> experts;
    for (int64_t expert = 0; expert < config.num_experts; ++expert)
        experts.push_back(load_mlp(parts, config, concat("mlp.experts.", expert)));
    return std::make_unique<SparseExperts>(parts.weight("mlp.gate"), std::move(experts),
                                           RoutingOptions{config.num_experts_per_tok, config.norm_topk_prob});
}

class ResidualBlock : public DecoderBlock {
public:
    ResidualBlock(const WeightStore& store, const RotaryEmbedding& rotary, int64_t index)
        : parts_(store, index),
          input_norm_(parts_.norm("input_layernorm")),
          attention_(load_attention(parts_, store.config(), rotary, index)),
          post_attention_norm_(parts_.norm("post_attention_layernorm")),
          feed_forward_(load_feed_forward(parts_, store.config())) {}
    ~ResidualBlock() override { parts_.release(); }

    at::Tensor forward(const at::Tensor& hidden, const SequenceContext& context) override {
        return feed_forward_->residual_forward(attention_.residual_forward(hidden, input_norm_, context), post_attention_norm_);
    }

    std::vector<Linear*> linears() override {
        std::vector<Linear*> all = attention_.linears();
        const auto more = feed_forward_->linears();
        all.insert(all.end(), more.begin(), more.end());
        return all;
    }

    Linear* last_projection() override { return feed_forward_->last_projection(); }
    KeyValueTaps* key_value_taps() override { return &attention_.taps; }
    void send_all_tokens_to_all_experts(bool all) override { feed_forward_->send_all_tokens_to_all_experts(all); }
    const std::string& name() const override { return parts_.name(); }

private:
    BlockParts parts_;
    RmsNorm input_norm_;
    Attention attention_;
    RmsNorm post_attention_norm_;
    std::unique_ptr<FeedForward> feed_forward_;
};

}  // namespace

std::unique_ptr<DecoderBlock> load_decoder_block(const WeightStore& store, const RotaryEmbedding& rotary, int64_t index) {
    return std::make_unique<ResidualBlock>(store, rotary, index);
}

}  // namespace calibench
