#include "core/autoround/sign_sgd.h"

#include <ATen/ATen.h>

namespace calibench {

void LinearDecay::advance() {
    if (step_ >= iters_) return;
    rate_ *= static_cast<float>(1.0 - 1.0 / static_cast<double>(iters_ - step_));
    ++step_;
}

void sign_sgd_step(at::Tensor& parameter, const at::Tensor& gradient, float rate) {
    parameter.add_(gradient.sign(), -static_cast<double>(rate));
}

double rounding_rate(const AutoRoundOptions& options, int bits) {
    if (options.lr) return *options.lr;
    double numerator = 1;
    if (bits <= 3 && options.effort == Effort::Quick) numerator = 0.5;  // whole steps would undo its start
    else if (bits <= 3 && options.iters >= 1000) numerator = 2;
    return numerator / static_cast<double>(options.iters);
}

double minmax_rate(const AutoRoundOptions& options, int bits) {
    return options.minmax_lr ? *options.minmax_lr : rounding_rate(options, bits);
}

LinearDecay schedule(double rate, const AutoRoundOptions& options) {
    return {rate, options.lr_scheduler == LrScheduler::Linear ? options.iters : 0};
}

}  // namespace calibench
