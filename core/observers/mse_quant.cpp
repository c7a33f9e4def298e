#include "core/observers/mse_quant.h"

#include <algorithm>
#include <cmath>
#include <span>

#include <ATen/ATen.h>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/kernels/group_min_max.h"
#include "core/kernels/group_search.h"

namespace calibench {

namespace {

QuantizedLevels levels_of(const QuantizationArgs& args) {
    const QuantizationRange range = quantization_range(args);
    if (args.type == QuantizationType::Int) return {range.min, range.max};
    return args.num_bits == 8 ? QuantizedLevels{range.min, range.max, true, 3, -6} : QuantizedLevels{range.min, range.max, true, 1, 0};
}

/// A tensor is multiplied by a number in float32 at least, then rounded to its own dtype.
at::Tensor scaled(const at::Tensor& value, const at::Tensor& factor) {
    const at::ScalarType math = value.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
    return (value.to(math) * factor.to(value.device(), math)).to(value.scalar_type());
}

/// How many steps are tried, and whether patience 0 means endless patience.
struct Rules {
    int64_t steps;
    bool zero_is_endless;
};

MinMax search_steps(const at::Tensor& observed, QuantizationArgs args, const RangeSearch& search, const ErrorNorm& norm, const Rules& rules) {
    if (args.strategy == Strategy::TensorGroup) args.scale_dtype.reset();
    const auto [observed_min, observed_max] = group_min_max(observed);
    const at::Tensor min = observed_min * search.expand;
    const at::Tensor max = observed_max * search.expand;
    std::vector<double> factors;
    for (int64_t step = 0; step < rules.steps; ++step) factors.push_back(1.0 - double(step) / search.grid);

    // Scales of such formats are rounded in ways that only calculate_qparams() knows.
    const bool has_own_scales = args.scale_dtype.has_value() || (args.type == QuantizationType::Float && !args.symmetric);
    const auto scales_for = [&](std::span<const double> tried) -> std::optional<GroupSearch::Scales> {
        if (!has_own_scales) return {};
        std::vector<int64_t> shape(size_t(min.dim()) + 1, 1);
        shape[0] = int64_t(tried.size());
        const at::Tensor factor = at::tensor(at::ArrayRef<double>(tried.data(), tried.size()), at::kDouble).view(shape);
        const auto [scale, zero_point] = calculate_qparams(scaled(min, factor), scaled(max, factor), args);
        return GroupSearch::Scales{scale, args.symmetric ? at::Tensor() : zero_point};
    };

    // As many steps at once as patience lasts: when the search ends within them, none of them was an improvement before its end,
    // and those after it must not count. So they are kept together or not at all.
    const bool endless = rules.zero_is_endless && search.patience <= 0;
    const int most = GroupSearch::most_candidates;
    const int at_once = endless ? most : int(std::clamp(search.patience, 1.0, double(most)));
    const auto groups = search_groups({observed, min, max, levels_of(args), args.symmetric, norm});
    int64_t without_gain = 0;
    bool exhausted = false;
    for (int64_t first = 0; first < rules.steps && !exhausted; first += at_once) {
        const auto tried = std::span<const double>(factors).subspan(size_t(first), size_t(std::min<int64_t>(at_once, rules.steps - first)));
        const uint32_t improved = groups->try_factors(tried, scales_for(tried));
        for (size_t i = 0; i < tried.size() && !exhausted; ++i) {
            if (improved >> i & 1) without_gain = 0;
            else exhausted = !endless && double(++without_gain) >= search.patience;
        }
        if (!exhausted) groups->keep();
    }

    factors.push_back(1.0);  // for groups that no step served
    at::Tensor best = groups->best_factor();
    best = at::where(best < 0, at::scalar_tensor(rules.steps, best.options()), best);
    const at::Tensor factor = at::tensor(factors, at::kDouble).to(best.device()).index_select(0, best).view(min.sizes());
    return {scaled(min, factor), scaled(max, factor)};
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
    return search_steps(flattened, args, search, {search.norm, false, {}}, {steps, false});
}

MinMax search_weighted_range(const at::Tensor& flattened, const QuantizationArgs& args, const RangeSearch& search, const at::Tensor& importance) {
    const auto steps = std::max<int64_t>(1, int64_t(search.maxshrink * search.grid)) + 1;
    return search_steps(flattened, args, search, {search.norm, true, importance}, {steps, true});
}

}  // namespace calibench
