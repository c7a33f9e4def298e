#include "core/kernels/swiglu.h"

#include <ATen/ATen.h>

#include "core/kernels/backends.h"
#include "core/kernels/cpu/loops.h"
#include "core/kernels/cpu/parallel.h"

namespace calibench::cpu {

namespace {

using lanes::Lanes;

struct Elements {
    const void* gate;
    const void* up;
    const void* grad_y;  ///< backward only
    void* y;             ///< forward only
    void* grad_gate;
    void* grad_up;
};

template <int N>
CALIBENCH_INLINE typename Lanes<N>::Float sigmoid(typename Lanes<N>::Float x) {
    return 1.0f / (1.0f + Lanes<N>::exp(-x));
}

template <int N, typename T>
CALIBENCH_INLINE void forward_elements(const Elements& elements, int64_t begin, int64_t end) {
    using L = Lanes<N>;
    const T* gate = static_cast<const T*>(elements.gate);
    const T* up = static_cast<const T*>(elements.up);
    T* y = static_cast<T*>(elements.y);
    for (int64_t i = begin; i < end; i += N) {
        const auto x = L::load(gate + i, end - i);
        // silu's own rounding stays, as in the model's two operations.
        L::store(y + i, L::template narrow<T>(x * sigmoid<N>(x)) * L::load(up + i, end - i), end - i);
    }
}

template <int N, typename T>
CALIBENCH_INLINE void backward_elements(const Elements& elements, int64_t begin, int64_t end) {
    using L = Lanes<N>;
    const T* gate = static_cast<const T*>(elements.gate);
    const T* up = static_cast<const T*>(elements.up);
    const T* grad_y = static_cast<const T*>(elements.grad_y);
    T* grad_gate = static_cast<T*>(elements.grad_gate);
    T* grad_up = static_cast<T*>(elements.grad_up);
    for (int64_t i = begin; i < end; i += N) {
        const auto x = L::load(gate + i, end - i);
        const auto grad = L::load(grad_y + i, end - i);
        const auto share = sigmoid<N>(x);
        L::store(grad_up + i, grad * x * share, end - i);
        L::store(grad_gate + i, grad * L::load(up + i, end - i) * share * (1.0f + x * (1.0f - share)), end - i);
    }
}

CALIBENCH_LOOP(forward_loop, forward_elements, Elements)
CALIBENCH_LOOP(backward_loop, backward_elements, Elements)

constexpr int64_t grain = 1 << 14;

void forward(const at::Tensor& gate, const at::Tensor& up, at::Tensor& y) {
    const Elements elements{gate.const_data_ptr(), up.const_data_ptr(), nullptr, y.mutable_data_ptr(), nullptr, nullptr};
    const auto loop = gate.scalar_type() == at::kBFloat16 ? forward_loop<uint16_t> : forward_loop<float>;
    parallel_for(gate.numel(), grain, [&](int64_t begin, int64_t end) { loop(elements, begin, end); });
}

void backward(const at::Tensor& grad_y, const at::Tensor& gate, const at::Tensor& up, at::Tensor& grad_gate, at::Tensor& grad_up) {
    const Elements elements{gate.const_data_ptr(), up.const_data_ptr(), grad_y.const_data_ptr(), nullptr, grad_gate.mutable_data_ptr(), grad_up.mutable_data_ptr()};
    const auto loop = gate.scalar_type() == at::kBFloat16 ? backward_loop<uint16_t> : backward_loop<float>;
    parallel_for(gate.numel(), grain, [&](int64_t begin, int64_t end) { loop(elements, begin, end); });
}

}  // namespace

const SwigluKernels swiglu_kernels{forward, backward};

}  // namespace calibench::cpu
