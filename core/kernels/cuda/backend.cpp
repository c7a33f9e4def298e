#include <cmath>

#include <ATen/ATen.h>

#include "core/kernels/backends.h"
#include "core/kernels/cuda/groups.h"
#include "core/kernels/cuda/kernels.h"
#include "core/kernels/cuda/tensors.h"

namespace calibench::cuda {

namespace {

// From tensors to pointers; the work is in the .cu files.

QdqArguments qdq_arguments(QdqWeight& weight, const at::Tensor& v) {
    QdqArguments p;
    p.weight = weight.weight.const_data_ptr();
    p.qdq = weight.qdq.mutable_data_ptr();
    p.v = v.const_data_ptr<float>();
    p.range_min = weight.range_min.const_data_ptr<float>();
    p.range_max = weight.range_max.const_data_ptr<float>();
    p.min_scale = weight.min_scale.mutable_data_ptr<float>();
    p.max_scale = weight.max_scale.mutable_data_ptr<float>();
    p.groups = weight.range_min.numel();
    p.group_size = weight.group_size;
    p.levels = weight.symmetric ? std::ldexp(1.0f, weight.bits - 1) : std::ldexp(1.0f, weight.bits) - 1;
    p.symmetric = weight.symmetric;
    p.scale_rounding = rounding_of(weight.scale_dtype);
    p.scale_threshold = weight.scale_threshold;
    return p;
}

void qdq_forward(QdqWeight& weight, const at::Tensor& v) {
    launch_qdq_forward(qdq_arguments(weight, v), is_narrow(weight.weight), LaunchSite(v).stream());
}

void qdq_step(QdqWeight& weight, const at::Tensor& v, at::Tensor& v_next, const at::Tensor& grad_qdq, QdqStep step) {
    QdqArguments p = qdq_arguments(weight, v);
    p.v_next = v_next.mutable_data_ptr<float>();
    p.grad = grad_qdq.const_data_ptr();
    p.rate = step.rate;
    p.minmax_rate = step.minmax_rate;
    p.most_scale = step.most_scale;
    launch_qdq_step(p, is_narrow(weight.weight), LaunchSite(v).stream());
}

double block_loss(const at::Tensor& output, const at::Tensor& target, const at::Tensor& mask, double factor, at::Tensor& gradient) {
    LossArguments p;
    p.features = output.size(-1);
    p.rows = output.numel() / p.features;
    // Counted on the device, so that the host waits once: for the loss.
    const at::Tensor kept = mask.defined() ? mask.sum() : at::full({}, p.rows, output.options().dtype(at::kLong));
    const at::Tensor sums = at::empty({p.rows}, output.options().dtype(at::kDouble));
    p.output = output.const_data_ptr();
    p.target = target.const_data_ptr();
    p.gradient = gradient.mutable_data_ptr();
    p.mask = mask.defined() ? mask.const_data_ptr<bool>() : nullptr;
    p.kept = kept.const_data_ptr<int64_t>();
    p.sums = sums.mutable_data_ptr<double>();
    p.factor = factor;
    launch_block_loss(p, is_narrow(output), LaunchSite(output).stream());
    return sums.sum().div(kept.clamp_min(1).mul(p.features)).item<double>();
}

NormArguments norm_arguments(const at::Tensor& x, const at::Tensor& weight, at::Tensor& result) {
    NormArguments p;
    p.x = x.const_data_ptr();
    p.weight = weight.const_data_ptr();
    p.result = result.mutable_data_ptr();
    p.features = x.size(-1);
    p.rows = x.numel() / p.features;
    return p;
}

void rms_norm_forward(const at::Tensor& x, const at::Tensor& weight, double eps, at::Tensor& y, at::Tensor& inverse_rms) {
    NormArguments p = norm_arguments(x, weight, y);
    p.inverse_rms = inverse_rms.mutable_data_ptr<float>();
    p.eps = eps;
    launch_rms_norm_forward(p, is_narrow(x), LaunchSite(x).stream());
}

void rms_norm_backward(const at::Tensor& grad_y, const at::Tensor& x, const at::Tensor& weight, const at::Tensor& inverse_rms, at::Tensor& grad_x) {
    NormArguments p = norm_arguments(x, weight, grad_x);
    p.grad_y = grad_y.const_data_ptr();
    p.inverse_rms = const_cast<float*>(inverse_rms.const_data_ptr<float>());
    launch_rms_norm_backward(p, is_narrow(x), LaunchSite(x).stream());
}

void swiglu_forward(const at::Tensor& gate, const at::Tensor& up, at::Tensor& y) {
    SwigluArguments p;
    p.gate = gate.const_data_ptr();
    p.up = up.const_data_ptr();
    p.y = y.mutable_data_ptr();
    p.elements = gate.numel();
    launch_swiglu_forward(p, is_narrow(gate), LaunchSite(gate).stream());
}

void swiglu_backward(const at::Tensor& grad_y, const at::Tensor& gate, const at::Tensor& up, at::Tensor& grad_gate, at::Tensor& grad_up) {
    SwigluArguments p;
    p.gate = gate.const_data_ptr();
    p.up = up.const_data_ptr();
    p.grad_y = grad_y.const_data_ptr();
    p.grad_gate = grad_gate.mutable_data_ptr();
    p.grad_up = grad_up.mutable_data_ptr();
    p.elements = gate.numel();
    launch_swiglu_backward(p, is_narrow(gate), LaunchSite(gate).stream());
}

/// `x` [batch, seq, heads, head_dim] is the source or the destination.
RotaryArguments rotary_arguments(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin) {
    RotaryArguments p;
    p.cos = cos.const_data_ptr();
    p.sin = sin.const_data_ptr();
    p.batch = x.size(0);
    p.seq = x.size(1);
    p.heads = x.size(2);
    p.head_dim = x.size(3);
    p.angles_per_sample = cos.size(0) > 1;
    return p;
}

void rotary_forward(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin, at::Tensor& result) {
    RotaryArguments p = rotary_arguments(x, cos, sin);
    p.from = x.const_data_ptr();
    p.to = result.mutable_data_ptr();
    launch_rotary_forward(p, is_narrow(x), LaunchSite(x).stream());
}

void rotary_backward(const at::Tensor& grad, const at::Tensor& cos, const at::Tensor& sin, at::Tensor& grad_x) {
    RotaryArguments p = rotary_arguments(grad_x, cos, sin);
    p.from = grad.const_data_ptr();
    p.to = grad_x.mutable_data_ptr();
    launch_rotary_backward(p, is_narrow(grad), LaunchSite(grad).stream());
}

void causal_softmax_forward(at::Tensor& scores, double scale) {
    SoftmaxArguments p;
    p.scores = scores.mutable_data_ptr();
    p.seq = scores.size(-1);
    p.rows = scores.numel() / p.seq;
    p.scale = static_cast<float>(scale);
    launch_causal_softmax_forward(p, is_narrow(scores), LaunchSite(scores).stream());
}

void causal_softmax_backward(const at::Tensor& probabilities, at::Tensor& grad, double scale) {
    SoftmaxArguments p;
    p.probabilities = probabilities.const_data_ptr();
    p.scores = grad.mutable_data_ptr();
    p.seq = grad.size(-1);
    p.rows = grad.numel() / p.seq;
    p.scale = static_cast<float>(scale);
    launch_causal_softmax_backward(p, is_narrow(grad), LaunchSite(grad).stream());
}

}  // namespace

const KernelBackend backend{{qdq_forward, qdq_step},
                            block_loss,
                            {rms_norm_forward, rms_norm_backward},
                            {swiglu_forward, swiglu_backward},
                            {rotary_forward, rotary_backward},
                            {causal_softmax_forward, causal_softmax_backward},
                            group_min_max,
                            search_groups};

}  // namespace calibench::cuda
