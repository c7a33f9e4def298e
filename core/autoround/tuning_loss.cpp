#include "core/autoround/tuning_loss.h"

#include <algorithm>

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include "core/kernels/block_loss.h"

namespace calibench {

namespace {

/// Logits are the largest tensors of a model; so many rows of them live at a time.
constexpr int64_t positions_at_a_time = 128;

/// 1 where the error counts, 0 for the `share` of all elements where it is largest, in the outputs' own precision.
at::Tensor without_largest(const at::Tensor& output, const at::Tensor& target, double share) {
    const at::Tensor error = (output - target).abs().flatten();
    const auto count = std::max<int64_t>(1, static_cast<int64_t>(static_cast<double>(error.numel()) * share));
    return at::ones_like(error, at::kFloat).index_fill_(0, std::get<1>(error.topk(count)), 0).view(output.sizes());
}

}  // namespace

TuningLoss OutputError::operator()(const at::Tensor& output, const at::Tensor& target, const at::Tensor& loss_mask, double factor) {
    at::NoGradGuard no_grad;
    const BlockLossKernel kernel = share_left_out_ > 0 ? nullptr : block_loss_kernel(output);
    if (kernel) {
        if (!gradient_.defined() || gradient_.sizes() != output.sizes()) {
            gradient_ = at::empty_like(output, at::MemoryFormat::Contiguous);
        }
        const double mse = kernel(output.detach().contiguous(), target, loss_mask, factor, gradient_);
        return {mse, gradient_};
    }
    at::Tensor error = output.to(at::kFloat) - target.to(at::kFloat);
    double elements = static_cast<double>(error.numel());
    if (loss_mask.defined()) {
        error = error * loss_mask.unsqueeze(-1);
        elements = std::max(1.0, loss_mask.sum().item<double>()) * static_cast<double>(error.size(-1));
    }
    if (share_left_out_ > 0) error = error * without_largest(output, target, share_left_out_);
    return {error.square().sum(at::kDouble).item<double>() / elements, (error * (factor * 2.0 / elements)).to(output.scalar_type())};
}

TuningLoss next_token_loss(const at::Tensor& hidden, const at::Tensor& labels,
                           const std::function<at::Tensor(const at::Tensor& hidden)>& logits, double factor) {
    at::AutoGradMode enable_grad(true);
    const at::Tensor next = labels.slice(1, 1);
    const int64_t predicted = (next != NextTokens::not_a_label).sum().item<int64_t>();
    const double tokens = std::max<double>(1, static_cast<double>(predicted));
    TuningLoss loss{0, at::zeros_like(hidden.detach())};
    for (int64_t sample = 0; sample < hidden.size(0); ++sample) {
        for (int64_t begin = 0; begin < next.size(1); begin += positions_at_a_time) {
            const int64_t end = std::min(begin + positions_at_a_time, next.size(1));
            const at::Tensor slice = hidden[sample].slice(0, begin, end).detach().requires_grad_();
            const at::Tensor entropy = at::cross_entropy_loss(logits(slice).to(at::kFloat), next[sample].slice(0, begin, end), {},
                                                              at::Reduction::Sum, NextTokens::not_a_label);
            loss.value += entropy.item<double>() / tokens;
            const auto gradient = torch::autograd::grad({entropy}, {slice}, {at::full_like(entropy, factor / tokens)});
            loss.gradient[sample].slice(0, begin, end).copy_(gradient.front());
        }
    }
    return loss;
}

}  // namespace calibench
