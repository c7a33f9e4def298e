#include "core/calibration/output_errors.h"

#include <algorithm>
#include <cmath>

#include <ATen/ATen.h>

#include "core/kernels/wide_linear.h"

namespace calibench {

namespace {

constexpr int64_t most_samples = 4;

/// The first positions of the first samples: causal attention does not miss the rest. So few that they cost a hundredth of a pass or so;
/// experts, who all see them, make more of it.
at::Tensor some_of(const at::Tensor& states, const RunPlan& plan) {
    const int64_t samples = std::min(most_samples, states.size(0));
    const int64_t tokens = std::clamp<int64_t>(states.size(0) * states.size(1) / 1024, 16, plan.expert_of.empty() ? 64 : 16);
    return states.slice(0, 0, samples).slice(1, 0, tokens / samples).to(plan.model->options().device);
}

/// Keeps what every projection multiplies with, as long as it lives.
class InputCatcher {
public:
    InputCatcher(DecoderBlock& block, std::map<std::string, at::Tensor>& inputs) : block_(block) {
        for (Linear* linear : block.linears()) {
            before_.push_back(linear->transform_input);
            linear->transform_input = [&inputs, name = linear->name, round = linear->transform_input](const at::Tensor& input) {
                const at::Tensor used = round ? round(input) : input;
                inputs[name] = used.detach().reshape({-1, used.size(-1)});
                return used;
            };
        }
        block.send_all_tokens_to_all_experts(true);
    }
    InputCatcher(const InputCatcher&) = delete;
    InputCatcher& operator=(const InputCatcher&) = delete;
    ~InputCatcher() {
        block_.send_all_tokens_to_all_experts(false);
        size_t i = 0;
        for (Linear* linear : block_.linears()) linear->transform_input = std::move(before_[i++]);
    }

private:
    DecoderBlock& block_;
    std::vector<std::function<at::Tensor(const at::Tensor&)>> before_;
};

double sqnr_db(const at::Tensor& exact, const at::Tensor& other) {
    const double noise = at::sum((other - exact).square_(), at::kDouble).item<double>();
    return noise == 0 ? INFINITY : 10 * std::log10(at::sum(exact.square(), at::kDouble).item<double>() / noise);
}

}  // namespace

std::map<std::string, at::Tensor> OutputErrors::pass(const at::Tensor& inputs) {
    const at::NoGradGuard no_grad;
    std::map<std::string, at::Tensor> caught;
    const InputCatcher catcher(block_.block(), caught);
    (void)block_.block().forward(some_of(inputs, plan_), {});
    return caught;
}

void OutputErrors::see_float(const at::Tensor& inputs) { float_inputs_ = pass(inputs); }

std::vector<OutputErrorMeasured> OutputErrors::measure(const at::Tensor& inputs) {
    const at::NoGradGuard no_grad;
    const std::map<std::string, at::Tensor> quantized_inputs = pass(inputs);
    std::vector<OutputErrorMeasured> errors;
    for (const Linear* linear : block_.block().linears()) {
        const auto found = float_inputs_.find(linear->name);
        if (found == float_inputs_.end()) continue;
        const at::Tensor &x = found->second, &xq = quantized_inputs.at(linear->name);
        const at::Tensor both = at::cat({x, xq}, 0);  // each weight is read once
        const auto exact = wide_linear(both, block_.weight(linear->name)).split(x.size(0)), rounded = wide_linear(both, linear->weight).split(x.size(0));
        errors.push_back({plan_.block_of.at(linear->name), linear->name, sqnr_db(exact[0], rounded[1]), sqnr_db(exact[0], rounded[0]),
                          sqnr_db(exact[0], exact[1])});
    }
    return errors;
}

}  // namespace calibench
