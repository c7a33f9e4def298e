#include "core/observers/mse_quant.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <ATen/ATen.h>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/kernels/cpu/group_errors.h"
#include "core/kernels/cpu/group_min_max.h"
#include "core/quantization/fake_quantize.h"

namespace calibench {

namespace {

constexpr int most_steps_at_once = 16;

QuantizedLevels levels_of(const QuantizationArgs& args) {
    const QuantizationRange range = quantization_range(args);
    if (args.type == QuantizationType::Int) return {range.min, range.max};
    return args.num_bits == 8 ? QuantizedLevels{range.min, range.max, true, 3, -6} : QuantizedLevels{range.min, range.max, true, 1, 0};
}

/// Errors of several candidate ranges, with tensor operations: for devices and dtypes that have no kernel.
at::Tensor errors_by_operations(const at::Tensor& observed, const ScaleAndZeroPoint& candidates, const QuantizationArgs& args,
                                const ErrorNorm& norm) {
    QuantizationArgs elementwise = args;
    elementwise.strategy = Strategy::Token;
    std::vector<at::Tensor> errors;
    for (int64_t i = 0; i < candidates.scale.size(0); ++i) {
        const QParams qparams{candidates.scale[i].unsqueeze(-1), candidates.zero_point[i].unsqueeze(-1), {}};
        const at::Tensor quantized = fake_quantize(observed, qparams, elementwise).to(observed.scalar_type());
        const at::ScalarType dtype = norm.in_float32 ? at::kFloat : observed.scalar_type();
        at::Tensor error = (quantized.to(dtype) - observed.to(dtype)).abs().pow(norm.exponent);
        if (norm.weights.defined()) error = (error.reshape({-1, norm.weights.numel()}) * norm.weights).view(error.sizes());
        errors.push_back(error.sum({0, -1}));
    }
    return at::stack(errors);
}

float largest_finite(at::ScalarType dtype) {
    if (dtype == at::kBFloat16) return std::numeric_limits<at::BFloat16>::max();
    if (dtype == at::kHalf) return std::numeric_limits<at::Half>::max();
    return std::numeric_limits<float>::max();
}

/// For each group the step with the least error so far.
class BestSteps {
public:
    BestSteps(int64_t groups, float worst_error) : error_(size_t(groups), worst_error), step_(size_t(groups), -1) {}

    /// Takes in one step's errors; whether any group improved.
    bool improve(const float* errors, int32_t step) {
        bool any = false;
        for (size_t group = 0; group < error_.size(); ++group) {
            const bool better = errors[group] < error_[group];
            error_[group] = better ? errors[group] : error_[group];
            step_[group] = better ? step : step_[group];
            any |= better;
        }
        return any;
    }

    /// What the search's range has to be multiplied with; 1 where no step had a finite error.
    [[nodiscard]] at::Tensor factors(const at::Tensor& factor_of_step) const {
        at::Tensor factors = at::ones({int64_t(step_.size())}, factor_of_step.options());
        const at::Tensor steps = at::from_blob(const_cast<int32_t*>(step_.data()), {factors.numel()}, at::kInt);
        return factor_of_step.numel() == 0 ? factors : at::where(steps >= 0, factor_of_step.index_select(0, steps.clamp_min(0)), factors);
    }

private:
    std::vector<float> error_;
    std::vector<int32_t> step_;
};

struct Rules {
    int64_t steps;
    at::ScalarType error_dtype;  ///< errors are compared in this precision
    bool endless_without_patience;
};

MinMax search_steps(const at::Tensor& observed, QuantizationArgs args, const RangeSearch& search, const ErrorNorm& norm, const Rules& rules) {
    if (args.strategy == Strategy::TensorGroup) args.scale_dtype.reset();
    const auto [observed_min, observed_max] = group_min_max(observed);
    const at::Tensor min = observed_min * search.expand;
    const at::Tensor max = observed_max * search.expand;

    std::vector<double> factors;
    for (int64_t step = 0; step < rules.steps; ++step) factors.push_back(1.0 - double(step) / search.grid);
    // A tensor is multiplied by a number in float32 at least, then rounded to its own dtype.
    const at::ScalarType math = min.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
    const at::Tensor factor_of_step = at::tensor(factors, at::kDouble).to(math);
    const auto shrink = [&](const at::Tensor& value, const at::Tensor& by) { return (value.to(math) * by).to(value.scalar_type()); };

    const bool has_kernel = has_group_errors_kernel(observed);
    BestSteps best(min.numel(), largest_finite(rules.error_dtype));
    std::vector<int64_t> candidate_shape(size_t(min.dim()) + 1, 1);
    int64_t steps_at_once = std::clamp<int64_t>(int64_t(search.patience), 1, most_steps_at_once);
    int64_t without_gain = 0;
    for (int64_t first = 0; first < rules.steps; first += steps_at_once) {
        const int64_t count = std::min(steps_at_once, rules.steps - first);
        candidate_shape[0] = count;
        const at::Tensor by = factor_of_step.narrow(0, first, count).view(candidate_shape).to(min.device());
        const ScaleAndZeroPoint candidates = calculate_qparams(shrink(min, by), shrink(max, by), args);
        const at::Tensor errors =
            (has_kernel ? group_quantization_errors(observed, candidates.scale, args.symmetric ? at::Tensor() : candidates.zero_point,
                                                    levels_of(args), norm)
                        : errors_by_operations(observed, candidates, args, norm))
                .to(rules.error_dtype).to(at::kFloat).to(at::kCPU).contiguous();
        for (int64_t i = 0; i < count; ++i) {
            if (best.improve(errors.const_data_ptr<float>() + i * min.numel(), int32_t(first + i))) {
                without_gain = 0;
                continue;
            }
            ++without_gain;
            if (without_gain >= search.patience && !(rules.endless_without_patience && search.patience <= 0)) {
                first = rules.steps;
                break;
            }
        }
    }
    const at::Tensor by = best.factors(factor_of_step).to(min.device()).view(min.sizes());
    return {shrink(min, by), shrink(max, by)};
}

}  // namespace

RangeSearch RangeSearch::overridden_by(const Observer& observer) const {
    const RangeSearch search{.maxshrink = observer.number_option("maxshrink", maxshrink),
                             .patience = observer.number_option("patience", patience),
                             .grid = observer.number_option("grid", grid),
                             .norm = observer.number_option("norm", norm),
                             .expand = observer.number_option("expand", expand)};
    if (!(search.expand >= 1.0)) throw InputError(concat("expand value must be at least 1.0, got ", search.expand));
    if (!(search.grid > 0)) throw InputError(concat("grid must be > 0, got ", search.grid));
    if (!(search.patience >= 0)) throw InputError(concat("patience must be >= 0, got ", search.patience));
    if (!(search.maxshrink >= 0 && search.maxshrink <= 1))
        throw InputError(concat("maxshrink must be in [0, 1], got ", search.maxshrink));
    if (!(std::isfinite(search.norm) && search.norm > 0))
        throw InputError(concat("norm must be a finite positive number, got ", search.norm));
    return search;
}

MinMax search_range(const at::Tensor& flattened, const QuantizationArgs& args, const RangeSearch& search) {
    const auto steps = int64_t(search.maxshrink * search.grid);
    return search_steps(flattened, args, search, {search.norm, false, {}}, {steps, flattened.scalar_type(), false});
}

MinMax search_weighted_range(const at::Tensor& flattened, const QuantizationArgs& args, const RangeSearch& search, const at::Tensor& importance) {
    const auto steps = std::max<int64_t>(1, int64_t(search.maxshrink * search.grid)) + 1;
    return search_steps(flattened, args, search, {search.norm, true, importance}, {steps, at::kFloat, true});
}

}  // namespace calibench
