#include <algorithm>
#include <cmath>
#include <vector>

#include <ATen/ATen.h>

#include "core/autoround/straight_through.h"
#include "core/autoround/weight_groups.h"
#include "core/autoround/weight_rounding.h"

namespace calibench {

namespace {

struct Range {
    at::Tensor min, max;  ///< [groups], zero included
};

Range range_of(const WeightRoundingInputs& inputs, const at::Tensor& groups) {
    if (inputs.tensor_min.defined()) return {inputs.tensor_min, inputs.tensor_max};
    return {groups.amin(-1).clamp_max(0), groups.amax(-1).clamp_min(0)};
}

at::Tensor scaled(const at::Tensor& range_end, const at::Tensor& factor) {
    return factor.defined() ? range_end * factor : range_end;
}

at::Tensor away_from_zero(const at::Tensor& scale, double threshold) {
    return at::where(scale < 0, scale.clamp_max(-threshold), scale.clamp_min(threshold));
}

/// [groups, 1]. Negative where the maximum is the larger end, so that it meets -2^(b-1), of which there is one more.
at::Tensor signed_scale(const WeightRoundingInputs& inputs, const at::Tensor& groups) {
    const Range range = range_of(inputs, groups);
    const at::Tensor min_abs = -scaled(range.min, inputs.min_scale);
    const at::Tensor max_abs = scaled(range.max, inputs.max_scale);
    const at::Tensor sign = (max_abs < min_abs).to(at::kInt) * 2 - 1;
    const at::Tensor largest = sign * at::maximum(max_abs, min_abs);
    return away_from_zero((largest / std::ldexp(1.0, inputs.bits - 1)).to(inputs.scale_dtype), inputs.scale_threshold).unsqueeze(-1);
}

struct AsymmetricGrid {
    at::Tensor scale, zero_point;  ///< [groups, 1]
};

AsymmetricGrid asymmetric_grid(const WeightRoundingInputs& inputs, const at::Tensor& groups) {
    const Range range = range_of(inputs, groups);
    const at::Tensor min = scaled(range.min, inputs.min_scale);
    const at::Tensor max = scaled(range.max, inputs.max_scale);
    const double levels = std::ldexp(1.0, inputs.bits) - 1;
    const at::Tensor scale = ((max - min) / levels).to(inputs.scale_dtype).clamp_min(inputs.scale_threshold);
    return {scale.unsqueeze(-1), round_ste(-min / scale).unsqueeze(-1)};
}

/// weight / scale + v, rounded.
at::Tensor rounded(const at::Tensor& groups, const at::Tensor& scale, const at::Tensor& v) {
    const at::Tensor ratio = groups / scale;
    return round_ste(v.defined() ? ratio + v : ratio);
}

/// 1 / x, and 0 where x is too small to divide by.
at::Tensor safe_reciprocal(const at::Tensor& x) {
    const at::Tensor safe = x.abs() >= (x.scalar_type() == at::kHalf ? 1e-5 : 1e-30);
    return at::where(safe, at::where(safe, x, at::ones_like(x)).reciprocal(), at::zeros_like(x));
}

/// What the square of each weight's error counts, in the shape of the groups; undefined where all count the same. Columns that saw
/// nothing but zeros get their group's mean, or the weights' magnitude where most of the group is like that (_imatrix_handle_zero).
at::Tensor importance(const WeightRoundingInputs& inputs, const WeightGroups& weight_groups) {
    const at::Tensor all = weight_groups.spread(inputs.imatrix);
    if (!all.defined() || inputs.imatrix.min().item<float>() != 0) return all;
    const at::Tensor& groups = weight_groups.values();
    const at::Tensor zeros = (all <= 1e-30).sum(-1, true);
    const int64_t half = inputs.group_size < 0 ? -1 : inputs.group_size / 2;
    at::Tensor magnitude = groups.abs();
    if (inputs.bits > 3) magnitude = magnitude + (groups.square().sum(-1, true) / 32).sqrt();
    const at::Tensor mean = all.sum(-1, true) / (groups.size(-1) - zeros).clamp_min(1);
    return at::where(zeros > half, magnitude.to(at::kFloat), at::where(all == 0, mean, all));
}

/// auto_round search_scales: inverse scales (-2^(b-1) + step * i) / extreme; the first of the least squared error wins.
at::Tensor search_part(const at::Tensor& groups, const at::Tensor& weights, int bits) {
    const double most = std::ldexp(1.0, bits - 1);
    const at::Tensor extreme = at::take_along_dim(groups, groups.abs().argmax(-1, true), -1);
    const at::Tensor reciprocal = safe_reciprocal(extreme);
    const double search_range = bits == 2 ? 0.9 : most * 0.75;
    const double step = bits == 2 ? 0.01 : search_range / 200 * 2;
    const int steps = bits == 2 ? 90 : static_cast<int>(search_range / step);

    at::Tensor scales, best;
    const auto consider = [&](double levels) {
        const at::Tensor inverse = reciprocal * -levels;
        const at::Tensor scale = safe_reciprocal(inverse);
        const at::Tensor q = (inverse * groups).round().clamp(-most, most - 1);
        at::Tensor error = (scale * q - groups).to(at::kFloat).square_();
        if (weights.defined()) error.mul_(weights);
        const at::Tensor loss = error.sum(-1, true);
        const at::Tensor better = best.defined() ? loss < best : at::ones_like(loss, at::kBool);
        scales = best.defined() ? at::where(better, scale, scales) : scale;
        best = best.defined() ? at::where(better, loss, best) : loss;
    };
    consider(most);
    for (int i = -steps; i <= steps; ++i) {
        if (i != 0) consider(most - step * i);
    }
    return scales;
}

/// Part by part, so that all the tries of a part find it in the cache.
at::Tensor search_scales(const at::Tensor& groups, const at::Tensor& weights, int bits) {
    const int64_t groups_per_part = std::max<int64_t>(1, (1 << 16) / groups.size(1));
    std::vector<at::Tensor> scales;
    for (int64_t begin = 0; begin < groups.size(0); begin += groups_per_part) {
        const auto part = [&](const at::Tensor& all) { return all.slice(0, begin, begin + groups_per_part); };
        scales.push_back(search_part(part(groups), weights.defined() ? part(weights) : weights, bits));
    }
    return at::cat(scales);
}

at::Tensor optimal_scale(const WeightRoundingInputs& inputs, const WeightGroups& groups) {
    return away_from_zero(search_scales(groups.values(), importance(inputs, groups), inputs.bits), inputs.scale_threshold);
}

WeightRounding nearest(const WeightGroups& groups, const at::Tensor& scale, int bits) {
    const double most = std::ldexp(1.0, bits - 1);
    const at::Tensor q = (groups.values() / scale).round().clamp(-most, most - 1);
    return {groups.restore((q * scale).to(groups.values().scalar_type())), scale, {}, {}};
}

}  // namespace

WeightRounding quant_tensor_sym(const WeightRoundingInputs& inputs) {
    const WeightGroups groups(inputs.weight, inputs.group_size);
    const double most = std::ldexp(1.0, inputs.bits - 1);
    const at::Tensor scale = signed_scale(inputs, groups.values());
    const at::Tensor q = rounded(groups.values(), scale, inputs.v).clamp(-most, most - 1);
    return {groups.restore((scale * q).to(inputs.weight.scalar_type())), scale, {}, {}};
}

WeightRounding quant_tensor_asym(const WeightRoundingInputs& inputs) {
    const WeightGroups groups(inputs.weight, inputs.group_size);
    const auto [scale, zero_point] = asymmetric_grid(inputs, groups.values());
    const at::Tensor q =
        (rounded(groups.values(), scale, inputs.v) + zero_point).clamp(0, std::ldexp(1.0, inputs.bits) - 1);
    return {groups.restore((scale * (q - zero_point)).to(inputs.weight.scalar_type())), scale, zero_point, {}};
}

WeightRounding quant_tensor_rtn_sym(const WeightRoundingInputs& inputs) {
    const WeightGroups groups(inputs.weight, inputs.group_size);
    return nearest(groups, signed_scale(inputs, groups.values()), inputs.bits);
}

WeightRounding quant_tensor_opt_rtn_sym(const WeightRoundingInputs& inputs) {
    const WeightGroups groups(inputs.weight, inputs.group_size);
    return nearest(groups, optimal_scale(inputs, groups), inputs.bits);
}

SearchedRange search_integer_range(const WeightRoundingInputs& inputs) {
    const WeightGroups groups(inputs.weight, inputs.group_size);
    const at::Tensor found = search_scales(groups.values(), groups.spread(inputs.imatrix), inputs.bits);
    // The range whose signed scale is the one that was found: a positive scale belongs to the minimum.
    const at::Tensor end = away_from_zero(found, inputs.scale_threshold).to(at::kFloat).reshape(-1) * -std::ldexp(1.0, inputs.bits - 1);
    return {end.clamp_max(0), end.clamp_min(0)};
}

RoundedIntegers round_to_optimal_integers(const WeightRoundingInputs& inputs) {
    const WeightGroups groups(inputs.weight, inputs.group_size);
    const double most = std::ldexp(1.0, inputs.bits - 1);
    const at::Tensor scale = optimal_scale(inputs, groups);
    return {groups.restore((groups.values() / scale).round().clamp(-most, most - 1).to(at::kChar)), scale, {}};
}

RoundedIntegers round_to_integers(const WeightRoundingInputs& inputs, bool symmetric) {
    const WeightGroups groups(inputs.weight, inputs.group_size);
    const double offset = std::ldexp(1.0, inputs.bits - 1);
    if (symmetric) {
        const at::Tensor scale = signed_scale(inputs, groups.values());
        const at::Tensor q = rounded(groups.values(), scale, inputs.v).clamp(-offset, offset - 1);
        return {groups.restore(q.to(at::kChar)), scale, {}};
    }
    const double levels = std::ldexp(1.0, inputs.bits) - 1;
    auto [scale, zero_point] = asymmetric_grid(inputs, groups.values());
    // A narrow scale can round down so far that the zero point falls one beyond the last level; int8 could not hold that.
    zero_point = zero_point.clamp(0, levels);
    const at::Tensor q = (rounded(groups.values(), scale, inputs.v) + zero_point).clamp(0, levels);
    return {groups.restore((q - offset).to(at::kChar)), scale, (zero_point - offset).to(at::kChar)};
}

double default_scale_threshold(at::ScalarType scale_dtype) { return scale_dtype == at::kFloat ? 1e-8 : 1e-5; }

}  // namespace calibench
