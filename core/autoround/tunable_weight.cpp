#include "core/autoround/tunable_weight.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include "core/base/error.h"
#include "core/base/text.h"

namespace calibench {

namespace {

/// Elements of a group; groups are runs of the row-major weight.
int64_t elements_per_group(const std::string& name, const at::Tensor& weight, const QuantizationArgs& args) {
    if (args.type != QuantizationType::Int || args.num_bits < 2 || args.num_bits > 8) {
        throw InputError(concat(name, ": AutoRound tunes integer weights of 2 to 8 bits, not ", describe(args)));
    }
    switch (args.strategy.value_or(Strategy::Tensor)) {
        case Strategy::Tensor: return weight.numel();
        case Strategy::Channel: return weight.size(1);
        case Strategy::Group: break;
        default: throw InputError(concat(name, ": AutoRound tunes weights per tensor, channel or group, not ", describe(args)));
    }
    const int64_t group_size = args.group_size.value_or(0);
    if (group_size <= 0 || weight.size(1) % group_size != 0) {
        throw InputError(concat(name, ": groups of ", group_size, " do not divide its ", weight.size(1), " columns"));
    }
    return group_size;
}

}  // namespace

TunableWeight::TunableWeight(const std::string& name, const at::Tensor& weight, const QuantizationArgs& args,
                             const AutoRoundOptions& options, RoundingPath path)
    : args_(args),
      checkpoint_dtype_(to_scalar_type(options.checkpoint_dtype)),
      tune_ranges_(options.enable_minmax_tuning),
      rate_(rounding_rate(options, args.num_bits), options.iters),
      minmax_rate_(minmax_rate(options, args.num_bits), options.iters) {
    const at::ScalarType scale_dtype = to_scalar_type(options.scale_dtype);
    state_.weight = weight.detach().contiguous();
    state_.group_size = elements_per_group(name, weight, args);
    state_.bits = args.num_bits;
    state_.symmetric = args.symmetric;
    state_.scale_dtype = scale_dtype;
    state_.scale_threshold = static_cast<float>(default_scale_threshold(scale_dtype));
    fused_ = path == RoundingPath::Fused ? qdq_kernels(weight, scale_dtype) : nullptr;

    const at::Tensor groups = state_.weight.view({-1, state_.group_size});
    state_.range_min = groups.amin(-1).clamp_max(0).to(at::kFloat);
    state_.range_max = groups.amax(-1).clamp_min(0).to(at::kFloat);
    state_.min_scale = at::ones_like(state_.range_min);
    state_.max_scale = at::ones_like(state_.range_max);
    v_ = {at::zeros_like(state_.weight, at::kFloat), at::empty_like(state_.weight, at::kFloat)};
    best_min_scale_ = state_.min_scale.clone();
    best_max_scale_ = state_.max_scale.clone();

    state_.qdq = at::empty_like(state_.weight);
    if (fused_) {
        fused_->forward(state_, v());
    } else {
        state_.qdq.copy_(reference_qdq(rounding_inputs(v(), state_.min_scale, state_.max_scale)).qdq);
    }
    state_.qdq.requires_grad_();
}

void TunableWeight::remember() {
    best_ = current_;
    best_min_scale_.copy_(state_.min_scale);
    best_max_scale_.copy_(state_.max_scale);
}

void TunableWeight::step(const at::Tensor& grad_qdq) {
    if (!grad_qdq.defined()) return;
    at::NoGradGuard no_grad;
    const int next = best_ == current_ ? 1 - current_ : current_;
    if (fused_) {
        const QdqStep step{rate_.rate(), tune_ranges_ ? minmax_rate_.rate() : 0.0f};
        fused_->step(state_, v_[current_], v_[next], grad_qdq.contiguous(), step);
    } else {
        reference_step(v_[next], grad_qdq);
    }
    current_ = next;
}

void TunableWeight::advance_rates() {
    rate_.advance();
    minmax_rate_.advance();
}

TunedWeight TunableWeight::best() const {
    at::NoGradGuard no_grad;
    const at::Tensor& v = v_[best_];
    const RoundedIntegers integers = round_to_integers(rounding_inputs(v, best_min_scale_, best_max_scale_), args_.symmetric);
    std::vector<int64_t> shape{integers.values.size(0), -1};
    if (args_.strategy.value_or(Strategy::Tensor) == Strategy::Tensor) shape = {1};
    TunedWeight tuned;
    tuned.quantized = integers.values;
    tuned.qparams.scale = integers.scale.to(checkpoint_dtype_).reshape(shape);
    if (integers.zero_point.defined()) tuned.qparams.zero_point = integers.zero_point.reshape(shape);
    tuned.v = v;
    tuned.min_scale = best_min_scale_;
    tuned.max_scale = best_max_scale_;
    return tuned;
}

WeightRoundingInputs TunableWeight::rounding_inputs(const at::Tensor& v, const at::Tensor& min_scale,
                                                    const at::Tensor& max_scale) const {
    WeightRoundingInputs inputs;
    inputs.weight = state_.weight;
    inputs.v = v.view({-1, state_.group_size});
    inputs.min_scale = min_scale;
    inputs.max_scale = max_scale;
    inputs.tensor_min = state_.range_min;
    inputs.tensor_max = state_.range_max;
    inputs.bits = state_.bits;
    inputs.group_size = state_.group_size == state_.weight.numel() ? 0 : state_.group_size;
    inputs.scale_dtype = state_.scale_dtype;
    inputs.scale_threshold = state_.scale_threshold;
    return inputs;
}

WeightRounding TunableWeight::reference_qdq(const WeightRoundingInputs& inputs) const {
    return state_.symmetric ? quant_tensor_sym(inputs) : quant_tensor_asym(inputs);
}

void TunableWeight::reference_step(at::Tensor& v_next, const at::Tensor& grad_qdq) {
    std::vector<at::Tensor> gradients;
    {
        at::AutoGradMode enable_grad(true);
        const auto leaf = [](const at::Tensor& parameter) { return parameter.detach().requires_grad_(); };
        const at::Tensor v_leaf = leaf(v()), min_leaf = leaf(state_.min_scale), max_leaf = leaf(state_.max_scale);
        const WeightRounding rounding = reference_qdq(rounding_inputs(v_leaf, min_leaf, max_leaf));
        gradients = torch::autograd::grad({rounding.qdq}, {v_leaf, min_leaf, max_leaf}, {grad_qdq});
    }
    if (best_ == current_) v_next.copy_(v());
    sign_sgd_step(v_next, gradients[0], rate_.rate());
    if (tune_ranges_) {
        sign_sgd_step(state_.min_scale, gradients[1], minmax_rate_.rate());
        sign_sgd_step(state_.max_scale, gradients[2], minmax_rate_.rate());
        state_.min_scale.clamp_(0, 1);
        state_.max_scale.clamp_(0, 1);
    }
    // Through detach(): the leaf itself requires grad and is not to notice.
    state_.qdq.detach().copy_(reference_qdq(rounding_inputs(v_next, state_.min_scale, state_.max_scale)).qdq);
}

}  // namespace calibench
