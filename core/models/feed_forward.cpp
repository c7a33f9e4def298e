#include "core/models/feed_forward.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "core/models/fused_halves.h"

namespace calibench {

GatedMlp::GatedMlp(Linear gate, Linear up, Linear down, GatedActivation activation)
    : gate_(std::move(gate)), up_(std::move(up)), down_(std::move(down)), activation_(activation) {}

at::Tensor GatedMlp::forward(const at::Tensor& hidden) const {
    return down_.forward(activation_(gate_.forward(hidden), up_.forward(hidden)));
}

at::Tensor GatedMlp::residual_forward(const at::Tensor& hidden, const RmsNorm& norm) const {
    static const GatedActivation silu = find_gated_activation("silu");
    const auto all = [this](auto is) { return is(gate_) && is(up_) && is(down_); };
    const bool is_usual = activation_ == silu && all([](const Linear& linear) { return !linear.bias.defined(); });
    const bool untouched = all([](const Linear& linear) { return linear.is_untouched(); });
    const bool may_be_tapped = !c10::GradMode::is_enabled() && all([](const Linear& linear) { return linear.has_free_output(); });
    if (is_usual && (untouched || may_be_tapped)) {
        const GatedMlpWeights weights{norm.weight, gate_.weight, up_.weight, down_.weight, norm.eps};
        const auto y = untouched ? fused_mlp_half(weights, hidden)
                                 : fused_mlp_half(weights, hidden, {gate_.tap(), up_.tap(), down_.tap()});
        if (y) return *y;
    }
    return FeedForward::residual_forward(hidden, norm);
}

SparseExperts::SparseExperts(at::Tensor router_weight, std::vector<std::unique_ptr<FeedForward>> experts, RoutingOptions options)
    : router_weight_(std::move(router_weight)), experts_(std::move(experts)), options_(options) {}

at::Tensor SparseExperts::forward(const at::Tensor& hidden) const {
    const at::Tensor tokens = hidden.reshape({-1, hidden.size(-1)});
    const int64_t choices = options_.experts_per_token;

    const at::Tensor probabilities = at::softmax(at::linear(tokens, router_weight_), -1, at::kFloat);
    auto [share, chosen] = at::topk(probabilities, choices, -1);  // [tokens, choices]
    if (options_.normalize) share = share / share.sum(-1, /*keepdim=*/true);

    // Sort the (token, choice) slots by expert, so that each expert takes one contiguous stretch, and undo it at the end: no
    // scattered additions, hence the same bits every time.
    const at::Tensor slots = chosen.flatten();
    const at::Tensor order = at::argsort(slots, /*stable=*/true);
    const at::Tensor counts = at::bincount(slots, /*weights=*/{}, static_cast<int64_t>(experts_.size())).cpu();
    const at::Tensor token_of_slot = at::floor_divide(order, choices);

    std::vector<at::Tensor> outputs;
    int64_t begin = 0;
    for (size_t expert = 0; expert < experts_.size(); ++expert) {
        const int64_t count = counts.data_ptr<int64_t>()[expert];
        const at::Tensor mine = token_of_slot.narrow(0, begin, count);
        if (all_tokens_to_all_) outputs.push_back(experts_[expert]->forward(tokens).index_select(0, mine));
        else if (count > 0) outputs.push_back(experts_[expert]->forward(tokens.index_select(0, mine)));
        begin += count;
    }
    if (outputs.empty()) return at::zeros_like(hidden);
    const at::Tensor by_slot = at::cat(outputs, 0).index_select(0, at::argsort(order));
    const at::Tensor weighted = by_slot.view({-1, choices, hidden.size(-1)}) * share.to(hidden.scalar_type()).unsqueeze(-1);
    return weighted.sum(1).view(hidden.sizes());
}

std::vector<Linear*> SparseExperts::linears() {
    std::vector<Linear*> all;
    for (const auto& expert : experts_) {
        const auto own = expert->linears();
        all.insert(all.end(), own.begin(), own.end());
    }
    return all;
}

}  // namespace calibench
