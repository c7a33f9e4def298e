#include "core/models/fused_ops.h"

#include <cmath>

#include <ATen/ATen.h>
#include <ATen/record_function.h>
#include <torch/csrc/autograd/custom_function.h>

#include "core/kernels/causal_softmax.h"
#include "core/kernels/rms_norm.h"
#include "core/kernels/rotary.h"
#include "core/kernels/swiglu.h"
#include "core/kernels/weight_gradient.h"
#include "core/models/recorded_products.h"

namespace calibench {

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// Only the weight's gradient is computed otherwise than by LibTorch.
struct LinearFunction : torch::autograd::Function<LinearFunction> {
    static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& weight,
                              const std::optional<at::Tensor>& bias) {
        context->save_for_backward({x, weight});
        context->saved_data["has_bias"] = bias.has_value();
        return at::linear(x, weight, bias);
    }
    static variable_list backward(AutogradContext* context, const variable_list& grads) {
        const auto saved = context->get_saved_variables();
        const at::Tensor &x = saved[0], &weight = saved[1];
        const at::Tensor rows = x.reshape({-1, x.size(-1)}).contiguous(), grad = grads[0].reshape({-1, weight.size(0)}).contiguous();
        at::Tensor grad_x, grad_weight, grad_bias;
        if (context->needs_input_grad(0)) grad_x = at::mm(grad, weight).view(x.sizes());
        if (context->needs_input_grad(1)) grad_weight = gradient_of_weight(grad, rows);
        if (context->saved_data["has_bias"].toBool() && context->needs_input_grad(2)) grad_bias = grad.sum(0);
        return {grad_x, grad_weight, grad_bias};
    }

private:
    static at::Tensor gradient_of_weight(const at::Tensor& grad, const at::Tensor& rows) {
        const WeightGradientKernel kernel = weight_gradient_kernel(grad, rows);
        if (!kernel) return at::mm(grad.t(), rows);
        CALIBENCH_RECORD_PRODUCTS(2.0 * static_cast<double>(grad.numel()) * static_cast<double>(rows.size(1)));
        return kernel(grad, rows);
    }
};

struct RmsNormFunction : torch::autograd::Function<RmsNormFunction> {
    static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& weight, double eps) {
        at::Tensor y = at::empty_like(x);
        at::Tensor inverse_rms = at::empty({x.numel() / x.size(-1)}, x.options().dtype(at::kFloat));
        rms_norm_kernels(x, weight)->forward(x, weight, eps, y, inverse_rms);
        context->save_for_backward({x, weight, inverse_rms});
        return y;
    }
    static variable_list backward(AutogradContext* context, const variable_list& grads) {
        const auto saved = context->get_saved_variables();
        at::Tensor grad_x = at::empty_like(saved[0]);
        rms_norm_kernels(saved[0], saved[1])->backward(grads[0].contiguous(), saved[0], saved[1], saved[2], grad_x);
        return {grad_x, {}, {}};
    }
};

struct SwigluFunction : torch::autograd::Function<SwigluFunction> {
    static at::Tensor forward(AutogradContext* context, const at::Tensor& gate, const at::Tensor& up) {
        at::Tensor y = at::empty_like(gate);
        swiglu_kernels(gate, up)->forward(gate, up, y);
        context->save_for_backward({gate, up});
        return y;
    }
    static variable_list backward(AutogradContext* context, const variable_list& grads) {
        const auto saved = context->get_saved_variables();
        at::Tensor grad_gate = at::empty_like(saved[0]), grad_up = at::empty_like(saved[1]);
        swiglu_kernels(saved[0], saved[1])->backward(grads[0].contiguous(), saved[0], saved[1], grad_gate, grad_up);
        return {grad_gate, grad_up};
    }
};

/// [batch, seq, heads, head_dim] -> [batch * groups, heads / groups * seq, head_dim], rotated where there are angles.
at::Tensor by_head(const at::Tensor& states, int64_t groups, const RotaryEmbedding::Angles* angles) {
    const int64_t batch = states.size(0), seq = states.size(1), heads = states.size(2), head_dim = states.size(3);
    at::Tensor moved = at::empty({batch, heads, seq, head_dim}, states.options());
    if (angles) rotary_kernels(states, angles->cos, angles->sin)->forward(states, angles->cos, angles->sin, moved);
    else moved.copy_(states.transpose(1, 2));
    return moved.view({batch * groups, heads / groups * seq, head_dim});
}

struct CausalAttentionFunction : torch::autograd::Function<CausalAttentionFunction> {
    static at::Tensor forward(AutogradContext* context, const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                              const at::Tensor& cos, const at::Tensor& sin) {
        RECORD_FUNCTION("calibench::causal_attention", c10::ArrayRef<const c10::IValue>{});
        const int64_t batch = query.size(0), seq = query.size(1), heads = query.size(2), head_dim = query.size(3), groups = key.size(2);
        const RotaryEmbedding::Angles angles{cos, sin};
        const at::Tensor q = by_head(query, groups, &angles), k = by_head(key, groups, &angles), v = by_head(value, groups, nullptr);
        at::Tensor probabilities = at::bmm(q, k.transpose(1, 2));
        causal_softmax_kernels(probabilities)->forward(probabilities, scale(head_dim));
        const at::Tensor mixed = at::bmm(probabilities, v).view({batch, heads, seq, head_dim});
        context->save_for_backward({q, k, v, probabilities, cos, sin});
        context->saved_data["seq"] = seq;
        return mixed.transpose(1, 2).reshape({batch, seq, heads * head_dim});
    }

    static variable_list backward(AutogradContext* context, const variable_list& grads) {
        RECORD_FUNCTION("calibench::causal_attention", c10::ArrayRef<const c10::IValue>{});
        const auto saved = context->get_saved_variables();
        const at::Tensor &q = saved[0], &k = saved[1], &v = saved[2], &probabilities = saved[3];
        const int64_t seq = context->saved_data["seq"].toInt(), head_dim = q.size(2);
        const int64_t batch = grads[0].size(0), groups = q.size(0) / batch, heads = grads[0].size(2) / head_dim;
        const at::Tensor grad_mixed = by_head(grads[0].reshape({batch, seq, heads, head_dim}), groups, nullptr);
        const at::Tensor grad_v = at::bmm(probabilities.transpose(1, 2), grad_mixed);
        at::Tensor grad_scores = at::bmm(grad_mixed, v.transpose(1, 2));
        causal_softmax_kernels(grad_scores)->backward(probabilities, grad_scores, scale(head_dim));
        const auto turned_back = [&](const at::Tensor& grad, int64_t count) {
            at::Tensor result = at::empty({batch, seq, count, head_dim}, grad.options());
            rotary_kernels(result, saved[4], saved[5])->backward(grad.contiguous(), saved[4], saved[5], result);
            return result;
        };
        return {turned_back(at::bmm(grad_scores, k), heads), turned_back(at::bmm(grad_scores.transpose(1, 2), q), groups),
                grad_v.view({batch, groups, seq, head_dim}).transpose(1, 2), {}, {}};
    }

private:
    static double scale(int64_t head_dim) { return 1.0 / std::sqrt(static_cast<double>(head_dim)); }
};

/// The scores of a batch are kept for the backward: beyond this, an attention that never holds them is the better one.
constexpr int64_t max_score_bytes = int64_t{128} << 20;

}  // namespace

at::Tensor fused_linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
    const bool is_tuned = c10::GradMode::is_enabled() && weight.requires_grad();
    if (!is_tuned || weight.scalar_type() != at::kBFloat16 || !weight.device().is_cpu()) return at::linear(x, weight, bias);
    return LinearFunction::apply(x, weight, bias.defined() ? std::optional(bias) : std::nullopt);
}

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps) {
    if (rms_norm_kernels(x, weight)) return RmsNormFunction::apply(x.contiguous(), weight.contiguous(), eps);
    const at::Tensor wide = x.to(at::kFloat);
    const at::Tensor scaled = wide * at::rsqrt(wide.square().mean(-1, /*keepdim=*/true) + eps);
    return weight * scaled.to(x.scalar_type());
}

at::Tensor swiglu(const at::Tensor& gate, const at::Tensor& up) {
    if (swiglu_kernels(gate, up)) return SwigluFunction::apply(gate.contiguous(), up.contiguous());
    return at::silu(gate) * up;
}

bool causal_attention_takes(const at::Tensor& query, const at::Tensor& key, const RotaryEmbedding::Angles& angles) {
    const int64_t seq = query.size(1);
    return query.scalar_type() == at::kBFloat16 && rotary_kernels(query, angles.cos, angles.sin) && query.size(2) % key.size(2) == 0 &&
           query.size(0) * query.size(2) * seq * seq * static_cast<int64_t>(query.element_size()) <= max_score_bytes;
}

at::Tensor causal_attention(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value, const RotaryEmbedding::Angles& angles) {
    return CausalAttentionFunction::apply(query.contiguous(), key.contiguous(), value.contiguous(), angles.cos, angles.sin);
}

}  // namespace calibench
