#include "core/autoround/opt_rtn.h"

#include <ATen/ATen.h>

#include "core/autoround/weight_rounding.h"

namespace calibench {

bool has_opt_rtn(const QuantizationArgs& weights) {
    const Strategy strategy = weights.strategy.value_or(Strategy::Tensor);
    return weights.type == QuantizationType::Int && weights.symmetric && weights.num_bits >= 2 && weights.num_bits <= 8 &&
           (strategy == Strategy::Tensor || strategy == Strategy::Channel || strategy == Strategy::Group);
}

OptimalRounding opt_rtn(const at::Tensor& weight, const QuantizationArgs& args, const at::Tensor& imatrix, at::ScalarType checkpoint_dtype) {
    WeightRoundingInputs inputs;
    inputs.weight = weight;
    inputs.imatrix = imatrix;
    inputs.bits = args.num_bits;
    const Strategy strategy = args.strategy.value_or(Strategy::Tensor);
    inputs.group_size = strategy == Strategy::Tensor ? 0 : strategy == Strategy::Channel ? -1 : args.group_size.value();
    const RoundedIntegers integers = round_to_optimal_integers(inputs);
    const std::vector<int64_t> shape = weight_scale_shape(args, weight.size(0), weight.size(1));
    return {integers.values, {integers.scale.to(checkpoint_dtype).reshape(shape), {}, {}}};
}

void InputEnergy::observe(const at::Tensor& input) {
    const at::Tensor squares = input.reshape({-1, input.size(-1)}).to(at::kFloat).square().sum(0);
    if (sum_.defined()) sum_.add_(squares);
    else sum_ = squares;
    batches_ += input.size(0);
}

at::Tensor InputEnergy::imatrix() const { return sum_.defined() ? sum_ / static_cast<double>(batches_) : sum_; }

}  // namespace calibench
