#pragma once

#include <functional>

#include <ATen/core/Tensor.h>

namespace calibench {

struct TuningLoss {
    double value = 0;
    at::Tensor gradient;  ///< of `factor` times the value, by the block's output
};

/// Mean squared error in float32 over the positions that count.
class OutputError {
public:
    /// `share_left_out`: of all elements, those of the largest error count as if they were right (SignRoundV2: a thousandth).
    explicit OutputError(double share_left_out = 0) : share_left_out_(share_left_out) {}

    /// output and target [batch, seq, features]; loss_mask bool [batch, seq], or undefined where every position counts. The gradient
    /// is valid until the next call.
    [[nodiscard]] TuningLoss operator()(const at::Tensor& output, const at::Tensor& target, const at::Tensor& loss_mask, double factor);

private:
    double share_left_out_;
    at::Tensor gradient_;  ///< reused by every iteration
};

/// What the last block is tuned for with enable_lfq: the tokens themselves.
struct NextTokens {
    at::Tensor labels;  ///< int64 [samples, seq]: each position's token, not_a_label where it is not to be predicted
    std::function<at::Tensor(const at::Tensor& hidden)> logits;  ///< [..., hidden] -> [..., vocab], differentiable

    static constexpr int64_t not_a_label = -100;
};

/// Mean cross-entropy in float32 of each next token (auto_round lfq_loss, transformers ForCausalLMLoss). hidden [batch, seq, hidden];
/// labels [batch, seq]. The logits are computed in slices of the sequence.
[[nodiscard]] TuningLoss next_token_loss(const at::Tensor& hidden, const at::Tensor& labels,
                                         const std::function<at::Tensor(const at::Tensor& hidden)>& logits, double factor);

}  // namespace calibench
