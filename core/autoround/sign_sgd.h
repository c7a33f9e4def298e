#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

#include "core/autoround/auto_round_options.h"

namespace calibench {

/// A learning rate that falls linearly to 0 over `iters` steps: torch's LinearLR(1 -> 0) on a float32 rate, whose recursion
/// and rounding are kept because they decide the last bit of every step. 0 iters: it stays.
class LinearDecay {
public:
    LinearDecay(double rate, int64_t iters) : rate_(static_cast<float>(rate)), iters_(iters) {}

    [[nodiscard]] float rate() const { return rate_; }
    void advance();

private:
    float rate_;
    int64_t iters_;
    int64_t step_ = 0;
};

/// parameter -= rate * sign(gradient); sign(0) = 0, no momentum, no weight decay.
void sign_sgd_step(at::Tensor& parameter, const at::Tensor& gradient, float rate);

/// The rates of one layer where the options leave them open: 1 / iters; at 3 bits and below 2 / iters from 1000 iterations on, and
/// half of 1 / iters with effort quick.
[[nodiscard]] double rounding_rate(const AutoRoundOptions& options, int bits);
[[nodiscard]] double minmax_rate(const AutoRoundOptions& options, int bits);
[[nodiscard]] LinearDecay schedule(double rate, const AutoRoundOptions& options);

}  // namespace calibench
