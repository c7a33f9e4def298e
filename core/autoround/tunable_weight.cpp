#include "core/autoround/tunable_weight.h"

#include <algorithm>
#include <cmath>

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include "core/autoround/error_feedback.h"
#include "core/autoround/weight_groups.h"
#include "core/base/error.h"
#include "core/base/text.h"
#include "core/quantization/fake_quantize.h"

namespace calibench {

namespace {

constexpr double kRangeFactors[] = {1, 0.95, 0.9, 0.85, 0.8, 0.75, 0.7};
constexpr double kMargin = 0.1;  // how far inside its level's bounds a weight begins whose level is not the nearest

Strategy strategy_of(const QuantizationArgs& args) { return args.strategy.value_or(Strategy::Tensor); }

/// As WeightRoundingInputs counts it.
int64_t group_size_of(const std::string& name, const at::Tensor& weight, const QuantizationArgs& args) {
    switch (strategy_of(args)) {
        case Strategy::Tensor: return 0;
        case Strategy::Channel: return -1;
        case Strategy::Block: return args.block_structure->at(1);
        default: break;
    }
    const int64_t group_size = args.group_size.value_or(0);
    if (group_size <= 0 || weight.size(1) % group_size != 0) {
        throw InputError(concat(name, ": groups of ", group_size, " do not divide its ", weight.size(1), " columns"));
    }
    return group_size;
}

}  // namespace

bool starts_from_search(const QuantizationArgs& args) {
    const bool float4 = args.type == QuantizationType::Float && args.num_bits == 4 && strategy_of(args) == Strategy::TensorGroup;
    return args.symmetric && (args.type == QuantizationType::Int || is_mx(args) || float4);
}

TunableWeight::RoundingFunction TunableWeight::function_for(const std::string& name, const QuantizationArgs& args) {
    const Strategy strategy = strategy_of(args);
    const bool one_scale_per_run = strategy == Strategy::Tensor || strategy == Strategy::Channel || strategy == Strategy::Group;
    if (args.type == QuantizationType::Int && args.num_bits >= 2 && args.num_bits <= 8 && one_scale_per_run) {
        return args.symmetric ? quant_tensor_sym : quant_tensor_asym;
    }
    if (args.type == QuantizationType::Float && args.symmetric) {
        if (is_mx(args)) return quant_mx;
        if (args.num_bits == 4 && strategy == Strategy::TensorGroup) return nv_fp4;
        if (args.num_bits == 8 && strategy == Strategy::Block) return quant_block_fp_sym;
        if (args.num_bits == 8 && one_scale_per_run) return quant_fp8_sym;
    }
    throw InputError(concat(name, ": AutoRound tunes integer weights of 2 to 8 bits per tensor, channel or group, FP8, NVFP4, MXFP4 and "
                                  "MXFP8, not ", describe(args)));
}

TunableWeight::TunableWeight(const std::string& name, const at::Tensor& weight, const QuantizationArgs& args,
                             const AutoRoundOptions& options, const WeightContext& context)
    : args_(args),
      reference_(function_for(name, args)),
      checkpoint_dtype_(to_scalar_type(options.checkpoint_dtype)),
      tune_ranges_(options.enable_minmax_tuning),
      rate_(schedule(rounding_rate(options, args.num_bits), options)),
      minmax_rate_(schedule(minmax_rate(options, args.num_bits), options)),
      momentum_(options.momentum) {
    inputs_.weight = weight.detach().contiguous();
    inputs_.global_scale = context.global_scale;
    inputs_.bits = args.num_bits;
    inputs_.group_size = group_size_of(name, weight, args);
    inputs_.block_rows = strategy_of(args) == Strategy::Block ? args.block_structure->at(0) : 0;
    inputs_.scale_dtype = to_scalar_type(options.scale_dtype);
    inputs_.scale_threshold = default_scale_threshold(inputs_.scale_dtype);
    const at::Tensor groups = WeightGroups(inputs_.weight, inputs_.group_size, inputs_.block_rows).values();
    v_ = {at::zeros(groups.sizes(), groups.options().dtype(at::kFloat)), at::empty(groups.sizes(), groups.options().dtype(at::kFloat))};
    state_.min_scale = at::ones(groups.sizes().slice(0, groups.dim() / 2), v_[0].options());
    state_.max_scale = at::ones_like(state_.min_scale);
    best_min_scale_ = state_.min_scale.clone();
    best_max_scale_ = state_.max_scale.clone();
    state_.qdq = at::empty_like(inputs_.weight);

    if (args.type == QuantizationType::Int) {
        state_.range_min = groups.amin(-1).clamp_max(0).to(at::kFloat);
        state_.range_max = groups.amax(-1).clamp_min(0).to(at::kFloat);
        inputs_.tensor_min = state_.range_min;
        inputs_.tensor_max = state_.range_max;
    }
    if (options.enable_alg_ext && starts_from_search(args)) search_start(context.imatrix);
    if (args.type == QuantizationType::Int) {
        state_.weight = inputs_.weight;
        state_.group_size = groups.size(1);
        state_.bits = args.num_bits;
        state_.symmetric = args.symmetric;
        state_.scale_dtype = inputs_.scale_dtype;
        state_.scale_threshold = static_cast<float>(inputs_.scale_threshold);
        // The kernels step by the gradient alone.
        if (context.path == RoundingPath::Fused && momentum_ == 0) fused_ = qdq_kernels(inputs_.weight, inputs_.scale_dtype);
    }
    refresh();
    state_.qdq.requires_grad_();
}

/// The rounded weight of the current parameters.
void TunableWeight::refresh() {
    // Through detach(): the leaf itself requires grad and is not to notice.
    if (fused_) fused_->forward(state_, v());
    else state_.qdq.detach().copy_(reference_(rounding_inputs(v(), state_.min_scale, state_.max_scale)).qdq);
}

/// Shrinks each group's range to where rounding to nearest has the least error, that of a column counting as much as its input.
void TunableWeight::shrink_ranges(const at::Tensor& energy) {
    const at::Tensor weight = inputs_.weight.to(at::kFloat);
    const at::Tensor counts = energy.to(weight.device());
    at::Tensor best, factors = at::ones_like(state_.min_scale);
    for (const double factor : kRangeFactors) {
        const at::Tensor tried = at::full_like(factors, factor);
        const at::Tensor error = (reference_(rounding_inputs({}, tried, tried)).qdq - weight).square_().mul_(counts);
        const at::Tensor sum = error.reshape({factors.numel(), -1}).sum(-1).view_as(factors);
        const at::Tensor better = best.defined() ? sum < best : sum == sum;
        best = best.defined() ? at::where(better, sum, best) : sum;
        factors = at::where(better, tried, factors);
    }
    state_.min_scale.copy_(factors);
    state_.max_scale.copy_(factors);
}

void TunableWeight::begin_with_feedback(const at::Tensor& weight, const at::Tensor& products) {
    at::NoGradGuard no_grad;
    if (tune_ranges_ && products.defined()) shrink_ranges(products.diagonal());
    const int64_t rows = weight.size(0);
    const auto by_row = [&](const at::Tensor& of_groups) {
        const at::Tensor flat = of_groups.to(at::kCPU, at::kFloat).flatten();
        return flat.expand({std::max(rows, flat.numel())}).reshape({rows, -1}).contiguous();  // one scale of a whole tensor is every row's
    };
    const WeightRounding rounding = reference_(rounding_inputs({}, state_.min_scale, state_.max_scale));
    const double levels = std::ldexp(1.0, args_.num_bits);
    LevelGrid grid{by_row(rounding.scale), {}, {}};
    grid.low = args_.symmetric ? at::full_like(grid.scale, -levels / 2) : -by_row(rounding.zero_point);
    grid.high = grid.low + (levels - 1);

    const at::Tensor wanted = round_with_feedback(weight, grid, products);
    const auto by_column = [&](const at::Tensor& x) { return x.repeat_interleave(weight.size(1) / x.size(1), 1); };
    const at::Tensor ratio = inputs_.weight.to(at::kCPU, at::kFloat) / by_column(grid.scale);
    const at::Tensor is_nearest = ratio.round().maximum(by_column(grid.low)).minimum(by_column(grid.high)) == wanted;
    const at::Tensor inside = ratio.maximum(wanted - (0.5 - kMargin)).minimum(wanted + (0.5 - kMargin));
    v_[current_].copy_((inside - ratio).masked_fill_(is_nearest, 0).reshape(v_[current_].sizes()));
    refresh();
}

void TunableWeight::search_start(const at::Tensor& imatrix) {
    at::NoGradGuard no_grad;
    WeightRoundingInputs search = inputs_;
    search.imatrix = imatrix;
    most_scale_ = 2;
    if (args_.type == QuantizationType::Int) {
        const SearchedRange range = search_integer_range(search);
        inputs_.tensor_min = state_.range_min = range.min;
        inputs_.tensor_max = state_.range_max = range.max;
    } else {
        inputs_.init_scale = is_mx(args_) ? search_mx_scale(search) : search_nvfp4_scale(search);
    }
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
        const QdqStep step{rate_.rate(), tune_ranges_ ? minmax_rate_.rate() : 0.0f, most_scale_};
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

void TunableWeight::end() {
    v_[1 - best_].reset();
    state_.qdq.reset();
    velocities_ = {};
}

TunedWeight TunableWeight::best() const {
    at::NoGradGuard no_grad;
    const WeightRoundingInputs inputs = rounding_inputs(v_[best_], best_min_scale_, best_max_scale_);
    TunedWeight tuned = args_.type == QuantizationType::Int ? best_integers(inputs) : best_floats(inputs);
    tuned.v = WeightGroups(inputs_.weight, inputs_.group_size, inputs_.block_rows).restore(v_[best_]);
    tuned.min_scale = best_min_scale_;
    tuned.max_scale = best_max_scale_;
    return tuned;
}

TunedWeight TunableWeight::best_integers(const WeightRoundingInputs& inputs) const {
    const RoundedIntegers integers = round_to_integers(inputs, args_.symmetric);
    std::vector<int64_t> shape{integers.values.size(0), -1};
    if (strategy_of(args_) == Strategy::Tensor) shape = {1};
    TunedWeight tuned;
    tuned.quantized = integers.values;
    tuned.qparams.scale = integers.scale.to(checkpoint_dtype_).reshape(shape);
    if (integers.zero_point.defined()) tuned.qparams.zero_point = integers.zero_point.reshape(shape);
    return tuned;
}

/// The levels are found again from the rounded weight: its own rounding, and the scale's, are far less than half a step.
TunedWeight TunableWeight::best_floats(const WeightRoundingInputs& inputs) const {
    const WeightRounding rounding = reference_(inputs);
    TunedWeight tuned;
    tuned.qparams.scale = is_mx(args_) ? at::pow(at::Scalar(2.0), rounding.scale.to(at::kFloat)) : rounding.scale.to(at::kFloat);
    tuned.qparams.scale = tuned.qparams.scale.reshape(weight_scale_shape(args_, inputs.weight.size(0), inputs.weight.size(1)));
    tuned.qparams.global_scale = inputs.global_scale;
    std::optional<at::ScalarType> dtype;
    if (args_.num_bits == 8) dtype = at::kFloat8_e4m3fn;
    tuned.quantized = quantize(rounding.qdq.to(at::kFloat), tuned.qparams, args_, dtype);
    tuned.qparams.scale = tuned.qparams.scale.to(checkpoint_dtype_);
    return tuned;
}

WeightRoundingInputs TunableWeight::rounding_inputs(const at::Tensor& v, const at::Tensor& min_scale,
                                                    const at::Tensor& max_scale) const {
    WeightRoundingInputs inputs = inputs_;
    inputs.v = v;
    inputs.min_scale = min_scale;
    inputs.max_scale = max_scale;
    return inputs;
}

void TunableWeight::reference_step(at::Tensor& v_next, const at::Tensor& grad_qdq) {
    std::vector<at::Tensor> gradients;
    {
        at::AutoGradMode enable_grad(true);
        const auto leaf = [](const at::Tensor& parameter) { return parameter.detach().requires_grad_(); };
        const at::Tensor v_leaf = leaf(v()), min_leaf = leaf(state_.min_scale), max_leaf = leaf(state_.max_scale);
        const WeightRounding rounding = reference_(rounding_inputs(v_leaf, min_leaf, max_leaf));
        // Floats have no minimum of their own.
        gradients = torch::autograd::grad({rounding.qdq}, {v_leaf, min_leaf, max_leaf}, {grad_qdq}, /*retain_graph=*/false,
                                          /*create_graph=*/false, /*allow_unused=*/true);
    }
    if (best_ == current_) v_next.copy_(v());
    sign_sgd_step(v_next, direction(gradients, 0), rate_.rate());
    if (tune_ranges_) {
        if (gradients[1].defined()) sign_sgd_step(state_.min_scale, direction(gradients, 1), minmax_rate_.rate());
        sign_sgd_step(state_.max_scale, direction(gradients, 2), minmax_rate_.rate());
        state_.min_scale.clamp_(0, most_scale_);
        state_.max_scale.clamp_(0, most_scale_);
    }
    state_.qdq.detach().copy_(reference_(rounding_inputs(v_next, state_.min_scale, state_.max_scale)).qdq);
}

const at::Tensor& TunableWeight::direction(const std::vector<at::Tensor>& gradients, size_t i) {
    if (momentum_ == 0) return gradients[i];
    at::Tensor& velocity = velocities_[i];
    if (velocity.defined()) velocity.mul_(momentum_).add_(gradients[i]);
    else velocity = gradients[i].clone();
    return velocity;
}

}  // namespace calibench
