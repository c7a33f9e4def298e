#include "core/autoround/tunable_inputs.h"

#include <algorithm>
#include <cmath>

#include <ATen/ATen.h>

#include "core/autoround/straight_through.h"
#include "core/observers/fused_groups.h"

namespace calibench {

namespace {

constexpr double kFloat8Max = 448.0;      // e4m3fn
constexpr double kLeastScale = 1.0 / (kFloat8Max * 512);  // as vLLM's kernels

/// x with gradients for itself and its scale.
at::Tensor rounded(const at::Tensor& x, const at::Tensor& scale, const QuantizationArgs& args) {
    const at::Tensor ratio = x.to(at::kFloat) / scale;
    const double most = std::ldexp(1.0, args.num_bits - 1);
    const at::Tensor levels = args.type == QuantizationType::Float ? float8_e4m3fn_ste(ratio.clamp(-kFloat8Max, kFloat8Max))
                                                                   : round_ste(ratio).clamp(-most, most - 1);
    return (levels * scale).to(x.scalar_type());
}

/// Each module alone, except those that are run as one matrix.
std::vector<std::vector<std::string>> modules_of_factors(const std::vector<Linear*>& linears, const std::map<std::string, StaticInput>& inputs) {
    std::vector<std::string> names;
    for (const Linear* linear : linears)
        if (inputs.contains(linear->name)) names.push_back(linear->name);
    std::vector<std::vector<std::string>> groups = find_fused_groups(names);
    for (const std::string& name : names) {
        const bool grouped = std::any_of(groups.begin(), groups.end(), [&](const auto& group) { return std::find(group.begin(), group.end(), name) != group.end(); });
        if (!grouped) groups.push_back({name});
    }
    return groups;
}

}  // namespace

bool has_tunable_range(const QuantizationArgs& inputs) {
    const bool one_scale = inputs.strategy.value_or(Strategy::Tensor) == Strategy::Tensor && inputs.dynamic == Dynamic::No && inputs.symmetric;
    return one_scale && (inputs.type == QuantizationType::Int || inputs.num_bits == 8);
}

TunableInputs::TunableInputs(const std::vector<Linear*>& linears, const std::map<std::string, StaticInput>& inputs,
                             const std::map<std::string, QuantizationArgs>& weights, const AutoRoundOptions& options)
    : momentum_(options.momentum) {
    if (!options.enable_minmax_tuning) return;
    for (std::vector<std::string>& modules : modules_of_factors(linears, inputs)) {
        const at::Tensor one = at::ones({1}, inputs.at(modules.front()).scale.options().dtype(at::kFloat));
        const LinearDecay rate = schedule(minmax_rate(options, weights.at(modules.front()).num_bits), options);
        factors_.push_back({std::move(modules), one.clone().requires_grad_(), one, {}, rate});
    }
    for (Linear* linear : linears) {
        const auto input = inputs.find(linear->name);
        if (input == inputs.end()) continue;
        const auto own = std::find_if(factors_.begin(), factors_.end(), [&](const Factor& factor) {
            return std::find(factor.modules.begin(), factor.modules.end(), linear->name) != factor.modules.end();
        });
        replaced_.push_back({linear, linear->transform_input});
        linear->transform_input = [args = input->second.args, scale = input->second.scale.to(at::kFloat).reshape(1), factor = own->value](const at::Tensor& x) {
            return rounded(x, (scale * factor).clamp_min(kLeastScale), args);
        };
    }
}

TunableInputs::~TunableInputs() {
    for (Replaced& replaced : replaced_) replaced.linear->transform_input = std::move(replaced.transform);
}

std::vector<at::Tensor> TunableInputs::factors() const {
    std::vector<at::Tensor> leaves;
    for (const Factor& factor : factors_) leaves.push_back(factor.value);
    return leaves;
}

void TunableInputs::remember() {
    for (Factor& factor : factors_) factor.best = factor.value.detach().clone();
}

void TunableInputs::step(std::span<const at::Tensor> gradients) {
    at::NoGradGuard no_grad;
    for (size_t i = 0; i < factors_.size(); ++i) {
        Factor& factor = factors_[i];
        if (gradients[i].defined()) {
            if (!factor.velocity.defined()) factor.velocity = at::zeros_like(gradients[i]);
            factor.velocity.mul_(momentum_).add_(gradients[i]);
            at::Tensor value = factor.value.detach();  // the leaf itself is not to notice
            sign_sgd_step(value, factor.velocity, factor.rate.rate());
            value.clamp_(0, 1);
        }
        factor.rate.advance();
    }
}

std::map<std::string, double> TunableInputs::best() const {
    std::map<std::string, double> found;
    for (const Factor& factor : factors_)
        for (const std::string& module : factor.modules) found[module] = factor.best.item<double>();
    return found;
}

}  // namespace calibench
