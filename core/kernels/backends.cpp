#include "core/kernels/backends.h"

#include <ATen/ATen.h>

namespace calibench {

namespace {

const KernelBackend& cpu_backend() {
    static const KernelBackend backend{cpu::qdq_kernels,    cpu::block_loss,     cpu::rms_norm_kernels,
                                       cpu::swiglu_kernels, cpu::rotary_kernels, cpu::causal_softmax_kernels,
                                       cpu::group_min_max,  cpu::search_groups};
    return backend;
}

/// The kernels for a device; null where there are none.
const KernelBackend* backend_on(const at::Device& device) {
    if (device.is_cpu()) return &cpu_backend();
#ifdef CALIBENCH_CUDA
    if (device.is_cuda()) return &cuda::backend;
#endif
    return nullptr;
}

/// The kernels for a tensor; null also where there are none for its dtype.
const KernelBackend* backend_of(const at::Tensor& x) {
    return x.scalar_type() == at::kFloat || x.scalar_type() == at::kBFloat16 ? backend_on(x.device()) : nullptr;
}

bool alike(const at::Tensor& a, const at::Tensor& b) { return a.scalar_type() == b.scalar_type() && a.device() == b.device(); }

}  // namespace

const QdqKernels* qdq_kernels(const at::Tensor& weight, at::ScalarType scale_dtype) {
    const KernelBackend* backend = backend_of(weight);
    if (weight.scalar_type() == at::kBFloat16 && scale_dtype == at::kBFloat16) return nullptr;
    return backend ? &backend->qdq : nullptr;
}

BlockLossKernel block_loss_kernel(const at::Tensor& output) {
    const KernelBackend* backend = backend_of(output);
    return backend ? backend->block_loss : nullptr;
}

const RmsNormKernels* rms_norm_kernels(const at::Tensor& x, const at::Tensor& weight) {
    const KernelBackend* backend = backend_of(x);
    return backend && alike(x, weight) && x.dim() > 0 && x.numel() > 0 ? &backend->rms_norm : nullptr;
}

const SwigluKernels* swiglu_kernels(const at::Tensor& gate, const at::Tensor& up) {
    const KernelBackend* backend = backend_of(gate);
    return backend && alike(gate, up) && gate.sizes() == up.sizes() ? &backend->swiglu : nullptr;
}

const RotaryKernels* rotary_kernels(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin) {
    const KernelBackend* backend = backend_of(x);
    const bool fits = alike(x, cos) && alike(x, sin) && x.dim() == 4 && cos.size(-1) == x.size(3) && x.size(3) % 2 == 0 &&
                      cos.is_contiguous() && sin.is_contiguous() && (cos.size(0) == 1 || cos.size(0) == x.size(0));
    return backend && fits ? &backend->rotary : nullptr;
}

const CausalSoftmaxKernels* causal_softmax_kernels(const at::Tensor& scores) {
    const KernelBackend* backend = backend_of(scores);
    return backend ? &backend->causal_softmax : nullptr;
}

std::pair<at::Tensor, at::Tensor> group_min_max(const at::Tensor& x) {
    const KernelBackend* backend = backend_of(x);
    if (!backend || x.numel() == 0) return {x.amin({0, -1}), x.amax({0, -1})};
    return backend->group_min_max(x.contiguous());
}

std::unique_ptr<GroupSearch> search_groups(const GroupSearchInputs& inputs) {
    const KernelBackend* backend = backend_on(inputs.flattened.device());
    return (backend ? backend : &cpu_backend())->search_groups(inputs);
}

}  // namespace calibench
