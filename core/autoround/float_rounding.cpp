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
                                        : reciprocal_or_zero(x.abs().max()) * (kFloat8Max * kFloat4Max);
    at::Tensor largest = x.abs().amax(-1, true);
    if (inputs.max_scale.defined()) largest = largest * inputs.max_scale.view({-1, 1});
    // Reciprocals, not divisions: the reference rounds twice, and so must this.
    const at::Tensor wanted = global_scale * (largest * (1.0 / kFloat4Max));
    const at::Tensor scale = float8_e4m3fn_ste(wanted.clamp(-kFloat8Max, kFloat8Max));
    const at::Tensor inverse = reciprocal_or_zero(scale * reciprocal_or_zero(global_scale));
    const at::Tensor ratio = inputs.v.defined() ? x * inverse + inputs.v : x * inverse;
    const at::Tensor qdq = float4_ste(ratio.clamp(-kFloat4Max, kFloat4Max)) * reciprocal_or_zero(inverse);
    return {groups.restore(qdq).to(inputs.weight.scalar_type()), scale, {}, {}};
}

}  // namespace calibench
