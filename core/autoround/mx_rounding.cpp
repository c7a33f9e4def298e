#include <cmath>

#include <ATen/ATen.h>

#include "core/autoround/straight_through.h"
#include "core/autoround/weight_groups.h"
#include "core/autoround/weight_rounding.h"
#include "core/base/error.h"
#include "core/base/text.h"

namespace calibench {

namespace {

/// An element type of the OCP microscaling formats.
struct ElementFormat {
    int exponent_bits;
    int mantissa_bits;  ///< sign and implicit one included
    int max_exponent;
    double max;
};

ElementFormat element_format(int bits) {
    switch (bits) {
        case 4: return {2, 3, 2, 6.0};    // e2m1
        case 6: return {2, 5, 2, 7.5};    // e2m3
        case 8: return {4, 5, 8, 448.0};  // e4m3
        default: throw InputError(concat("microscaling knows 4, 6 and 8 bits, not ", bits));
    }
}

/// x in the element format. The gradient also flows through the element's own exponent, as in the reference.
at::Tensor quant_element(const at::Tensor& x, const ElementFormat& format) {
    const double fraction = std::ldexp(1.0, format.mantissa_bits - 2);
    const double min_exponent = 2 - std::ldexp(1.0, format.exponent_bits - 1);
    const at::Tensor exponent = floor_ste(at::log2(x.abs() + (x == 0).to(x.scalar_type()))).clamp_min(min_exponent);
    const at::Tensor mantissa = x / at::pow(2.0, exponent) * fraction;
    const at::Tensor magnitude = mantissa.abs();
    const at::Tensor ties = (at::remainder(magnitude - 0.5, 2) == 0).to(x.scalar_type());  // half goes to even
    const at::Tensor rounded = mantissa.sign() * (floor_ste(magnitude + 0.5) - ties);
    return (rounded / fraction * at::pow(2.0, exponent)).clamp(-format.max, format.max);
}

/// log2 of the scale that brings `largest` into the format's top binade.
at::Tensor shared_exponent(const at::Tensor& largest, const ElementFormat& format) {
    const at::Tensor log = at::where(largest == 0, at::ones_like(largest), at::log2(largest));
    return (floor_ste(log) - format.max_exponent).clamp(-127.0, 127.0);
}

at::Tensor mx_qdq(const at::Tensor& x, const at::Tensor& exponent, const at::Tensor& v, const ElementFormat& format) {
    const at::Tensor scale = at::pow(2.0, exponent);
    const at::Tensor ratio = v.defined() ? x / scale + v : x / scale;
    return quant_element(ratio.clamp(-format.max, format.max), format) * scale;
}

/// Of the range: the exponents one below, at and one above its own; the first of the least squared error wins. `weights` or undefined.
at::Tensor searched_factor(const at::Tensor& x, const at::Tensor& largest, const at::Tensor& weights, const ElementFormat& format) {
    at::Tensor factors, best;
    for (const double factor : {1.0, 0.5, 2.0}) {
        at::Tensor error = (mx_qdq(x, shared_exponent(largest * factor, format), {}, format) - x).square();
        if (weights.defined()) error = error * weights;
        const at::Tensor loss = error.sum(-1, true);
        if (best.defined()) factors.masked_fill_(loss < best, factor);
        else factors = at::ones_like(loss);
        best = best.defined() ? at::minimum(best, loss) : loss;
    }
    return factors;
}

WeightRounding in_dtype_of(const at::Tensor& weight, const at::Tensor& qdq, const at::Tensor& exponent) {
    return {qdq.to(weight.scalar_type()), exponent.to(weight.scalar_type()), {}, {}};
}

}  // namespace

WeightRounding quant_mx(const WeightRoundingInputs& inputs) {
    const ElementFormat format = element_format(inputs.bits);
    const WeightGroups groups(inputs.weight, inputs.group_size);
    const at::Tensor x = groups.values().to(at::kFloat);
    at::Tensor largest = x.abs().amax(-1, true);
    if (inputs.init_scale.defined()) largest = largest * inputs.init_scale.unsqueeze(-1);
    if (inputs.max_scale.defined()) largest = largest * inputs.max_scale.unsqueeze(-1);
    const at::Tensor exponent = shared_exponent(largest, format);
    return in_dtype_of(inputs.weight, groups.restore(mx_qdq(x, exponent, inputs.v, format)), exponent);
}

WeightRounding quant_mx_opt_rtn(const WeightRoundingInputs& inputs) {
    const ElementFormat format = element_format(inputs.bits);
    const WeightGroups groups(inputs.weight, inputs.group_size);
    const at::Tensor x = groups.values().to(at::kFloat);
    const at::Tensor largest = x.abs().amax(-1, true);
    const at::Tensor exponent = shared_exponent(largest * searched_factor(x, largest, {}, format), format);
    return in_dtype_of(inputs.weight, groups.restore(mx_qdq(x, exponent, {}, format)), exponent);
}

at::Tensor search_mx_scale(const WeightRoundingInputs& inputs) {
    const WeightGroups groups(inputs.weight, inputs.group_size);
    const at::Tensor x = groups.values().to(at::kFloat);
    return searched_factor(x, x.abs().amax(-1, true), groups.spread(inputs.imatrix), element_format(inputs.bits)).squeeze(-1);
}

}  // namespace calibench
