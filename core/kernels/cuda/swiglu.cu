#include "core/kernels/cuda/device.cuh"

namespace calibench::cuda {

namespace {

constexpr int threads = 256;

__device__ float sigmoid(float x) { return 1.0f / (1.0f + expf(-x)); }

template <typename T>
__global__ void forward_elements(SwigluArguments p) {
    for (int64_t i = first_item(); i < p.elements; i += item_stride()) {
        const float x = load(static_cast<const T*>(p.gate) + i);
        // silu's own rounding stays, as in the model's two operations.
        store(static_cast<T*>(p.y) + i, narrowed<T>(x * sigmoid(x)) * load(static_cast<const T*>(p.up) + i));
    }
}

template <typename T>
__global__ void backward_elements(SwigluArguments p) {
    for (int64_t i = first_item(); i < p.elements; i += item_stride()) {
        const float x = load(static_cast<const T*>(p.gate) + i), grad = load(static_cast<const T*>(p.grad_y) + i);
        const float share = sigmoid(x);
        store(static_cast<T*>(p.grad_up) + i, grad * x * share);
        store(static_cast<T*>(p.grad_gate) + i, grad * load(static_cast<const T*>(p.up) + i) * share * (1.0f + x * (1.0f - share)));
    }
}

}  // namespace

void launch_swiglu_forward(const SwigluArguments& arguments, bool narrow, void* stream) {
    launch("swiglu_forward", narrow ? forward_elements<__nv_bfloat16> : forward_elements<float>, arguments,
           blocks_for(arguments.elements, threads), threads, stream);
}

void launch_swiglu_backward(const SwigluArguments& arguments, bool narrow, void* stream) {
    launch("swiglu_backward", narrow ? backward_elements<__nv_bfloat16> : backward_elements<float>, arguments,
           blocks_for(arguments.elements, threads), threads, stream);
}

}  // namespace calibench::cuda
