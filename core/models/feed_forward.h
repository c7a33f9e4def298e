#pragma once

#include <memory>
#include <vector>

#include "core/models/layers.h"

namespace calibench {

/// What follows attention in a block: one MLP, or a router with many.
class FeedForward {
public:
    virtual ~FeedForward() = default;
    /// hidden [..., hidden_size] -> the same shape.
    [[nodiscard]] virtual at::Tensor forward(const at::Tensor& hidden) const = 0;
    /// hidden + forward(norm(hidden)): a block's second half.
    [[nodiscard]] virtual at::Tensor residual_forward(const at::Tensor& hidden, const RmsNorm& norm) const {
        return hidden + forward(norm.forward(hidden));
    }
    [[nodiscard]] virtual std::vector<Linear*> linears() = 0;
    // See DecoderBlock.
    [[nodiscard]] virtual Linear* last_projection() { return nullptr; }
    virtual void send_all_tokens_to_all_experts(bool) {}
};

/// down(act(gate(x)) * up(x)).
class GatedMlp : public FeedForward {
public:
    GatedMlp(Linear gate, Linear up, Linear down, GatedActivation activation);
    [[nodiscard]] at::Tensor forward(const at::Tensor& hidden) const override;
    [[nodiscard]] at::Tensor residual_forward(const at::Tensor& hidden, const RmsNorm& norm) const override;
    [[nodiscard]] std::vector<Linear*> linears() override { return {&gate_, &up_, &down_}; }
    [[nodiscard]] Linear* last_projection() override { return &down_; }

private:
    Linear gate_, up_, down_;
    GatedActivation activation_;
};

struct RoutingOptions {
    int64_t experts_per_token = 1;
    bool normalize = false;  ///< the chosen experts' probabilities sum to one
};

/// Top-k routing over softmax probabilities (Qwen3MoeSparseMoeBlock). An expert sees only its own tokens, as [tokens, hidden_size];
/// one without tokens is not called at all.
class SparseExperts : public FeedForward {
public:
    SparseExperts(at::Tensor router_weight, std::vector<std::unique_ptr<FeedForward>> experts, RoutingOptions options);
    [[nodiscard]] at::Tensor forward(const at::Tensor& hidden) const override;
    /// The experts' projections; the router is no Linear and stays as it is.
    [[nodiscard]] std::vector<Linear*> linears() override;
    void send_all_tokens_to_all_experts(bool all) override { all_tokens_to_all_ = all; }

private:
    at::Tensor router_weight_;  ///< [experts, hidden_size]
    std::vector<std::unique_ptr<FeedForward>> experts_;
    RoutingOptions options_;
    bool all_tokens_to_all_ = false;
};

}  // namespace calibench
