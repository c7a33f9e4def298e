// The fused quantize-dequantize of a weight under tuning, one step at a time from parameters as they are found in the middle of a run.

#include <torch/csrc/autograd/autograd.h>

#include "core/autoround/weight_rounding.h"
#include "core/kernels/qdq_weight.h"
#include "tests/kernel_checks/checks.h"

namespace calibench::testing {

namespace {

struct Variant {
    int bits;
    bool symmetric;
    int64_t columns, group_size;  ///< as WeightRoundingInputs counts it
    at::ScalarType weight_dtype, scale_dtype;
};

std::vector<Variant> variants() {
    std::vector<Variant> all;
    struct Columns {
        int64_t columns, group_size;
    };
    for (const int bits : {2, 3, 4, 8})
        for (const bool symmetric : {true, false})
            for (const auto& [columns, group_size] : {Columns{96, 32}, Columns{60, 20}, Columns{256, 128}, Columns{77, -1}, Columns{1500, -1}, Columns{131, 0}})
                for (const at::ScalarType weight_dtype : both_dtypes)
                    for (const at::ScalarType scale_dtype : {at::kHalf, at::kFloat, at::kBFloat16})
                        all.push_back({bits, symmetric, columns, group_size, weight_dtype, scale_dtype});
    return all;
}

std::string describe(const Variant& variant) {
    return concat("W", variant.bits, variant.symmetric ? " symmetric" : " asymmetric", ", ", name_of(variant.weight_dtype), " [64, ", variant.columns,
                  "], groups of ", variant.group_size, ", ", name_of(variant.scale_dtype), " scales");
}

/// Rows with the troubles of real ones: outliers, zeros, one sign only.
at::Tensor awkward_weight(const Variant& variant, const at::Device& device) {
    at::Tensor weight = normal({64, variant.columns}, 1, at::kCPU, at::kFloat, 0.02);
    weight[0].zero_();
    weight[1] = weight[1].abs() + 0.01;
    weight[2] = -weight[2].abs() - 0.01;
    weight[3][5] = 3.0;
    weight[4] *= 1e-6;
    return weight.to(device, variant.weight_dtype);
}

struct State {
    QdqWeight weight;
    at::Tensor v;
    WeightRoundingInputs reference;  ///< of the same tensors, which the reference leaves alone
};

State state_of(const Variant& variant, const at::Device& device) {
    State state;
    const at::Tensor weight = awkward_weight(variant, device);
    const int64_t group = variant.group_size > 0 ? variant.group_size : variant.group_size < 0 ? variant.columns : weight.numel();
    const at::Tensor groups = weight.view({-1, group});
    const int64_t count = groups.size(0);
    state.v = uniform({count, group}, 2, device, -0.5, 0.5);

    QdqWeight& qdq = state.weight;
    qdq.weight = weight;
    qdq.qdq = at::empty_like(weight);
    qdq.range_min = groups.amin(-1).clamp_max(0).to(at::kFloat);
    qdq.range_max = groups.amax(-1).clamp_min(0).to(at::kFloat);
    qdq.min_scale = uniform({count}, 3, device, 0.8, 1);
    qdq.max_scale = uniform({count}, 4, device, 0.8, 1);
    qdq.group_size = group;
    qdq.bits = variant.bits;
    qdq.symmetric = variant.symmetric;
    qdq.scale_dtype = variant.scale_dtype;
    qdq.scale_threshold = float(default_scale_threshold(variant.scale_dtype));

    WeightRoundingInputs& inputs = state.reference;
    inputs.weight = weight;
    inputs.v = state.v;
    inputs.min_scale = qdq.min_scale.clone();
    inputs.max_scale = qdq.max_scale.clone();
    inputs.tensor_min = qdq.range_min;
    inputs.tensor_max = qdq.range_max;
    inputs.bits = variant.bits;
    inputs.group_size = variant.group_size;
    inputs.scale_dtype = variant.scale_dtype;
    inputs.scale_threshold = default_scale_threshold(variant.scale_dtype);
    return state;
}

at::Tensor reference_qdq(const WeightRoundingInputs& inputs, bool symmetric) {
    return (symmetric ? quant_tensor_sym(inputs) : quant_tensor_asym(inputs)).qdq;
}

/// The part of the elements that are not the same, last places aside.
double share_of_others(const at::Tensor& actual, const at::Tensor& expected) {
    const at::Tensor exact = wide(expected);
    const at::Tensor other = (wide(actual) - exact).abs() > exact.abs() * 1e-6;
    return other.logical_or(at::isnan(actual)).to(at::kDouble).mean().item<double>();
}

/// On the CPU not a bit differs. LibTorch on CUDA divides by a number as it multiplies by its inverse, and adds up in another order: an
/// asymmetric scale or a gradient's sign may then fall to the other side of a tie, here and there.
double bound_on(const at::Device& device) { return device.is_cpu() ? 0 : 0.02; }

double compare(const at::Tensor& actual, const at::Tensor& expected, const at::Device& device) {
    return device.is_cpu() ? actual.ne(expected).to(at::kDouble).mean().item<double>() : share_of_others(actual, expected);
}

}  // namespace

std::vector<Comparison> qdq_forward(const at::Device& device) {
    std::vector<Comparison> comparisons;
    for (const Variant& variant : variants()) {
        State state = state_of(variant, device);
        const QdqKernels* kernels = qdq_kernels(state.weight.weight, variant.scale_dtype);
        if (!kernels) continue;  // the reference takes these
        kernels->forward(state.weight, state.v);
        const at::Tensor expected = reference_qdq(state.reference, variant.symmetric);
        comparisons.push_back({describe(variant), compare(state.weight.qdq, expected, device), bound_on(device)});
    }
    return comparisons;
}

std::vector<Comparison> qdq_step(const at::Device& device) {
    std::vector<Comparison> comparisons;
    for (const Variant& variant : variants()) {
        State state = state_of(variant, device);
        const QdqKernels* kernels = qdq_kernels(state.weight.weight, variant.scale_dtype);
        if (!kernels) continue;
        const at::Tensor grad = normal(state.weight.weight.sizes(), 5, device, variant.weight_dtype);
        const QdqStep step{.rate = 0.01f, .minmax_rate = variant.bits == 3 ? 0.0f : 0.02f};

        WeightRoundingInputs& reference = state.reference;
        reference.v = leaf(state.v);
        reference.min_scale = leaf(reference.min_scale);
        reference.max_scale = leaf(reference.max_scale);
        const auto gradients = torch::autograd::grad({reference_qdq(reference, variant.symmetric)}, {reference.v, reference.min_scale, reference.max_scale}, {grad});
        const auto stepped = [](const at::Tensor& from, const at::Tensor& gradient, float rate) { return from.detach() - gradient.sign() * rate; };
        reference.v = stepped(reference.v, gradients[0], step.rate);
        reference.min_scale = stepped(reference.min_scale, gradients[1], step.minmax_rate).clamp(0, step.most_scale);
        reference.max_scale = stepped(reference.max_scale, gradients[2], step.minmax_rate).clamp(0, step.most_scale);

        // In place for every other variant, as TunableWeight does once the best parameters are elsewhere.
        at::Tensor v_next = comparisons.size() % 8 == 0 ? state.v : at::empty_like(state.v);
        kernels->step(state.weight, state.v, v_next, grad, step);
        const auto add = [&](const char* what, const at::Tensor& actual, const at::Tensor& expected) {
            comparisons.push_back({concat(what, ", ", describe(variant)), compare(actual, expected, device), bound_on(device)});
        };
        add("v", v_next, reference.v);
        add("min_scale", state.weight.min_scale, reference.min_scale);
        add("max_scale", state.weight.max_scale, reference.max_scale);
        add("weight", state.weight.qdq, reference_qdq(reference, variant.symmetric));
    }
    return comparisons;
}

}  // namespace calibench::testing
