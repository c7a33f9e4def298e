#include "core/models/fused_halves.h"

#include <algorithm>

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include "core/kernels/recycled.h"
#include "core/models/recorded_products.h"

namespace calibench {

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

double tokens_of(const at::Tensor& x) { return static_cast<double>(x.numel() / x.size(-1)); }

/// Like `weight` where its gradient is wanted.
at::Tensor gradient_if(bool wanted, const at::Tensor& weight) { return wanted ? recycled(weight.sizes(), weight.options()) : at::Tensor(); }

struct MlpHalf : torch::autograd::Function<MlpHalf> {
    static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& norm, const at::Tensor& gate,
                              const at::Tensor& up, const at::Tensor& down, double eps, bool keep) {
        const GatedMlpWeights weights{norm, gate, up, down, eps};
        CALIBENCH_RECORD_PRODUCTS(operations(weights, x));
        GatedMlpStates states;
        at::Tensor y = recycled(x.sizes(), x.options());
        gated_mlp_kernels(weights, x)->forward(weights, x, y, keep ? &states : nullptr);
        if (keep) context->save_for_backward({x, norm, gate, up, down, states.inverse_rms, states.normed, states.activated, states.slopes});
        context->saved_data["eps"] = eps;
        return y;
    }

    static variable_list backward(AutogradContext* context, const variable_list& grads) {
        const auto saved = context->get_saved_variables();
        const at::Tensor& x = saved[0];
        const GatedMlpWeights weights{saved[1], saved[2], saved[3], saved[4], context->saved_data["eps"].toDouble()};
        const GatedMlpStates states{saved[5], saved[6], saved[7], saved[8]};
        GatedMlpGradients gradients{recycled(x.sizes(), x.options()), gradient_if(context->needs_input_grad(2), weights.gate),
                                    gradient_if(context->needs_input_grad(3), weights.up),
                                    gradient_if(context->needs_input_grad(4), weights.down)};
        double count = operations(weights, x);
        for (const at::Tensor& gradient : {gradients.gate, gradients.up, gradients.down})
            if (gradient.defined()) count += 2 * tokens_of(x) * static_cast<double>(gradient.numel());
        CALIBENCH_RECORD_PRODUCTS(count);
        gated_mlp_kernels(weights, x)->backward(weights, x, states, grads[0].contiguous(), gradients);
        return {gradients.x, {}, gradients.gate, gradients.up, gradients.down, {}, {}};
    }

private:
    /// Of the forward, and of the states' gradients.
    static double operations(const GatedMlpWeights& weights, const at::Tensor& x) {
        return 6 * tokens_of(x) * static_cast<double>(weights.gate.numel());
    }
};

struct AttentionHalf : torch::autograd::Function<AttentionHalf> {
    /// Autograd follows arguments, not members: what may be tuned comes a second time.
    static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& query, const at::Tensor& key,
                              const at::Tensor& value, const at::Tensor& output, const SelfAttentionWeights& weights, bool keep) {
        CALIBENCH_RECORD_PRODUCTS(4 * tokens_of(x) * static_cast<double>(query.numel() + key.numel()) + 2 * score_operations(weights, x));
        SelfAttentionStates states;
        at::Tensor y = recycled(x.sizes(), x.options());
        self_attention_kernels(weights, x)->forward(weights, x, y, keep ? &states : nullptr);
        if (!keep) return y;
        context->save_for_backward({x, query, key, value, output, weights.norm, weights.cos, weights.sin, states.inverse_rms, states.normed,
                                    states.mixed, states.query, states.key, states.value, states.probabilities});
        context->saved_data["head_dim"] = weights.head_dim;
        context->saved_data["eps"] = weights.eps;
        return y;
    }

    static variable_list backward(AutogradContext* context, const variable_list& grads) {
        const auto saved = context->get_saved_variables();
        const at::Tensor& x = saved[0];
        SelfAttentionWeights weights;  // the biases are done with
        weights.query = saved[1], weights.key = saved[2], weights.value = saved[3], weights.output = saved[4];
        weights.norm = saved[5], weights.cos = saved[6], weights.sin = saved[7];
        weights.head_dim = context->saved_data["head_dim"].toInt();
        weights.eps = context->saved_data["eps"].toDouble();
        const SelfAttentionStates states{saved[8], saved[9], saved[10], saved[11], saved[12], saved[13], saved[14]};
        const auto wanted = [&](size_t input) { return gradient_if(context->needs_input_grad(input), saved[input]); };
        SelfAttentionGradients gradients{wanted(0), wanted(1), wanted(2), wanted(3), wanted(4)};
        double products = static_cast<double>(weights.output.numel());
        for (const at::Tensor& gradient : {gradients.query, gradients.key, gradients.value, gradients.output})
            if (gradient.defined()) products += static_cast<double>(gradient.numel());
        if (gradients.x.defined()) products += static_cast<double>(weights.query.numel() + 2 * weights.key.numel());
        CALIBENCH_RECORD_PRODUCTS(2 * tokens_of(x) * products + 4 * score_operations(weights, x));
        self_attention_kernels(weights, x)->backward(weights, x, states, grads[0].contiguous(), gradients);
        return {gradients.x, gradients.query, gradients.key, gradients.value, gradients.output, {}, {}};
    }

private:
    /// Of queries times keys, without what the causal rule hides.
    static double score_operations(const SelfAttentionWeights& weights, const at::Tensor& x) {
        const double seq = static_cast<double>(x.size(1));
        return static_cast<double>(x.size(0) * weights.query.size(0)) * seq * (seq + 1);
    }
};

bool any_requires_grad(std::initializer_list<at::Tensor> tensors) {
    return c10::GradMode::is_enabled() &&
           std::any_of(tensors.begin(), tensors.end(), [](const at::Tensor& tensor) { return tensor.requires_grad(); });
}

}  // namespace

std::optional<at::Tensor> fused_mlp_half(const GatedMlpWeights& weights, const at::Tensor& x) {
    if (!gated_mlp_kernels(weights, x)) return std::nullopt;
    return MlpHalf::apply(x.contiguous(), weights.norm, weights.gate, weights.up, weights.down, weights.eps,
                          any_requires_grad({x, weights.gate, weights.up, weights.down}));
}

std::optional<at::Tensor> fused_mlp_half(const GatedMlpWeights& weights, const at::Tensor& x, const GatedMlpTaps& taps) {
    const GatedMlpKernels* kernels = gated_mlp_kernels(weights, x);
    if (!kernels) return std::nullopt;
    const at::NoGradGuard no_grad;
    at::Tensor y = recycled(x.sizes(), x.options());
    kernels->tapped_forward(weights, x.contiguous(), taps, y);
    return y;
}

std::optional<at::Tensor> fused_attention_half(const SelfAttentionWeights& weights, const at::Tensor& x, const SelfAttentionTaps& taps) {
    const SelfAttentionKernels* kernels = self_attention_kernels(weights, x);
    if (!kernels) return std::nullopt;
    const at::NoGradGuard no_grad;
    at::Tensor y = recycled(x.sizes(), x.options());
    kernels->tapped_forward(weights, x.contiguous(), taps, y);
    return y;
}

std::optional<at::Tensor> fused_attention_half(const SelfAttentionWeights& weights, const at::Tensor& x) {
    if (!self_attention_kernels(weights, x)) return std::nullopt;
    return AttentionHalf::apply(x.contiguous(), weights.query, weights.key, weights.value, weights.output, weights,
                                any_requires_grad({x, weights.query, weights.key, weights.value, weights.output}));
}

}  // namespace calibench
