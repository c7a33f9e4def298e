#include <algorithm>
#include <vector>

#include <ATen/ATen.h>

#include "core/autoround/straight_through.h"
#include "core/autoround/weight_groups.h"
#include "core/autoround/weight_rounding.h"

namespace calibench {

namespace {

constexpr double kFloat8Max = 448.0;                          // e4m3fn
constexpr double kFloat4Max = 6.0;                            // e2m1
constexpr double kFloat8MinScale = 1.0 / (kFloat8Max * 512);  // as vLLM's kernels

/// x / scale + v in float8, times scale.
at::Tensor float8_qdq(at::Tensor x, const at::Tensor& scale, const at::Tensor& v) {
    if (x.scalar_type() == at::kHalf) x = x.to(at::kBFloat16);  // float16 overflows in the gradient
    const at::Tensor ratio = v.defined() ? x / scale + v : x / scale;
    return float8_e4m3fn_ste(ratio.clamp(-kFloat8Max, kFloat8Max)) * scale;
}

at::Tensor reciprocal_or_zero(const at::Tensor& x) { return at::where(x == 0, at::zeros_like(x), x.reciprocal()); }

/// Brings the tensor's largest value to the largest group scale times the largest level.
at::Tensor global_scale_of(const at::Tensor& x) { return reciprocal_or_zero(x.abs().max()) * (kFloat8Max * kFloat4Max); }

/// The levels of e2m1: steps of 1/2 below 2, of 1 below 4, of 2 up to 6.
at::Tensor float4_ste(const at::Tensor& x) {
    const at::Tensor magnitude = x.abs();
    const at::Tensor halves = round_ste(magnitude * 2.0) / 2.0;
    const at::Tensor ones = round_ste(magnitude);
    const at::Tensor twos = round_ste(magnitude / 2.0) * 2.0;
    const at::Tensor below2 = magnitude < 2.0, below4 = magnitude < 4.0;
    const at::Tensor level = halves * below2 + ones * below2.logical_not() * below4 +
                             twos * below2.logical_not() * below4.logical_not();
    return level.clamp(-kFloat4Max, kFloat4Max) * x.sign();
}

/// The first factor of the least squared error, for each group of a weight that is cut into groups already.
at::Tensor search_part(WeightRoundingInputs& part, const at::Tensor& weights) {
    at::Tensor factors, best;
    const auto consider = [&](double factor) {
        part.max_scale = at::full({part.weight.size(0)}, factor, part.weight.options());
        at::Tensor error = (nv_fp4(part).qdq - part.weight).square_();
        if (weights.defined()) error.mul_(weights);
        const at::Tensor loss = error.sum(-1);
        factors = best.defined() ? at::where(loss < best, part.max_scale, factors) : part.max_scale;
        best = best.defined() ? at::minimum(best, loss) : loss;
    };
    consider(1);
    for (int percent = 50; percent <= 151; ++percent) {
        if (percent != 100) consider(percent / 100.0);
    }
    return factors;
}

}  // namespace

WeightRounding quant_fp8_sym(const WeightRoundingInputs& inputs) {
    const WeightGroups groups(inputs.weight, inputs.group_size);
    at::Tensor largest = groups.values().abs().amax(-1);
    if (inputs.max_scale.defined()) largest = largest * inputs.max_scale;
    const at::Tensor scale = (largest.to(at::kFloat) / kFloat8Max).clamp_min(kFloat8MinScale).unsqueeze(-1);
    const at::Tensor qdq = float8_qdq(groups.values(), scale, inputs.v);
    return {groups.restore(qdq).to(inputs.weight.scalar_type()), scale, {}, {}};
}

WeightRounding quant_block_fp_sym(const WeightRoundingInputs& inputs) {
    const WeightGroups tiles(inputs.weight, inputs.group_size, inputs.block_rows);
    at::Tensor largest = tiles.values().abs().amax(at::IntArrayRef{-2, -1});
    if (inputs.max_scale.defined()) largest = largest * inputs.max_scale;
    const at::Tensor scale = (largest / kFloat8Max).clamp_min(kFloat8MinScale);
    const at::Tensor qdq = float8_qdq(tiles.values(), scale.unsqueeze(-1).unsqueeze(-1), inputs.v);
    return {tiles.restore(qdq).to(inputs.weight.scalar_type()), scale, {}, {}};
}

WeightRounding progressive_quant_fp8_int4(const WeightRoundingInputs& inputs) {
    const at::Tensor outer_scale = (inputs.weight.abs().max().to(at::kFloat) / kFloat8Max).clamp_min(kFloat8MinScale);
    const at::Tensor float8 = float8_e4m3fn_ste((inputs.weight / outer_scale).clamp(-kFloat8Max, kFloat8Max));
    WeightRoundingInputs inner = inputs;
    inner.weight = float8.to(inputs.weight.scalar_type());
    inner.scale_dtype = at::kBFloat16;
    const WeightRounding integers = quant_tensor_sym(inner);
    return {integers.qdq * outer_scale, integers.scale * outer_scale, {}, outer_scale};
}

WeightRounding nv_fp4(const WeightRoundingInputs& inputs) {
    const WeightGroups groups(inputs.weight, inputs.group_size);
    const at::Tensor x = groups.values().to(at::kFloat);
    const at::Tensor global_scale = inputs.global_scale.defined()
                                        ? inputs.global_scale.to(at::kFloat)
                                        : global_scale_of(x);
    at::Tensor factor = inputs.max_scale;
    if (inputs.init_scale.defined()) factor = factor.defined() ? factor * inputs.init_scale : inputs.init_scale;
    at::Tensor largest = x.abs().amax(-1, true);
    if (factor.defined()) largest = largest * factor.view({-1, 1});
    // Reciprocals, not divisions: the reference rounds twice, and so must this.
    const at::Tensor wanted = global_scale * (largest * (1.0 / kFloat4Max));
    const at::Tensor scale = float8_e4m3fn_ste(wanted.clamp(-kFloat8Max, kFloat8Max));
    const at::Tensor inverse = reciprocal_or_zero(scale * reciprocal_or_zero(global_scale));
    const at::Tensor ratio = inputs.v.defined() ? x * inverse + inputs.v : x * inverse;
    const at::Tensor qdq = float4_ste(ratio.clamp(-kFloat4Max, kFloat4Max)) * reciprocal_or_zero(inverse);
    return {groups.restore(qdq).to(inputs.weight.scalar_type()), scale, {}, {}};
}

at::Tensor search_nvfp4_scale(const WeightRoundingInputs& inputs) {
    const WeightGroups groups(inputs.weight, inputs.group_size);
    const at::Tensor all = groups.values().to(at::kFloat), weights = groups.spread(inputs.imatrix);
    const int64_t groups_per_part = std::max<int64_t>(1, (1 << 16) / all.size(1));  // all tries of a part find it in the cache
    std::vector<at::Tensor> found;
    for (int64_t begin = 0; begin < all.size(0); begin += groups_per_part) {
        WeightRoundingInputs part;
        part.weight = all.slice(0, begin, begin + groups_per_part);
        part.group_size = inputs.group_size;
        part.global_scale = global_scale_of(all);
        found.push_back(search_part(part, weights.defined() ? weights.slice(0, begin, begin + groups_per_part) : weights));
    }
    return at::cat(found);
}

}  // namespace calibench
