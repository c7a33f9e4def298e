#include "core/kernels/rms_norm.h"

#include <algorithm>
#include <cmath>

#include <ATen/ATen.h>

#include "core/kernels/backends.h"
#include "core/kernels/cpu/loops.h"
#include "core/kernels/cpu/parallel.h"

namespace calibench::cpu {

namespace {

using lanes::Lanes;

struct Rows {
    const void* x;
    const void* weight;
    const void* grad_y;  ///< backward only
    void* result;        ///< y or grad_x
    float* inverse_rms;
    int64_t features;
    double eps;
};

template <int N, typename T>
CALIBENCH_INLINE void forward_rows(const Rows& rows, int64_t begin, int64_t end) {
    using L = Lanes<N>;
    const T* weight = static_cast<const T*>(rows.weight);
    const int64_t n = rows.features;
    for (int64_t row = begin; row < end; ++row) {
        const T* x = static_cast<const T*>(rows.x) + row * n;
        T* y = static_cast<T*>(rows.result) + row * n;
        typename L::Float squares = {};
        for (int64_t i = 0; i < n; i += N) {
            const auto value = L::load(x + i, n - i);
            squares += value * value;
        }
        const float inverse = static_cast<float>(1.0 / std::sqrt(L::sum(squares) / static_cast<double>(n) + rows.eps));
        rows.inverse_rms[row] = inverse;
        for (int64_t i = 0; i < n; i += N) {
            const auto normal = L::template narrow<T>(L::load(x + i, n - i) * inverse);
            L::store(y + i, L::load(weight + i, n - i) * normal, n - i);
        }
    }
}

/// With n = x * inverse_rms and h = weight * grad_y: grad_x = inverse_rms * (h - n * mean(h * n)).
template <int N, typename T>
CALIBENCH_INLINE void backward_rows(const Rows& rows, int64_t begin, int64_t end) {
    using L = Lanes<N>;
    const T* weight = static_cast<const T*>(rows.weight);
    const int64_t n = rows.features;
    for (int64_t row = begin; row < end; ++row) {
        const T* x = static_cast<const T*>(rows.x) + row * n;
        const T* grad_y = static_cast<const T*>(rows.grad_y) + row * n;
        T* grad_x = static_cast<T*>(rows.result) + row * n;
        const float inverse = rows.inverse_rms[row];
        typename L::Float products = {};
        for (int64_t i = 0; i < n; i += N)
            products += L::load(weight + i, n - i) * L::load(grad_y + i, n - i) * L::load(x + i, n - i);
        const auto pull = static_cast<float>(L::sum(products) / static_cast<double>(n)) * inverse * inverse * inverse;
        for (int64_t i = 0; i < n; i += N) {
            const auto pushed = L::load(weight + i, n - i) * L::load(grad_y + i, n - i) * inverse;
            L::store(grad_x + i, pushed - L::load(x + i, n - i) * pull, n - i);
        }
    }
}

CALIBENCH_LOOP(forward_loop, forward_rows, Rows)
CALIBENCH_LOOP(backward_loop, backward_rows, Rows)

void run(const at::Tensor& x, const Rows& rows, void (*wide)(const Rows&, int64_t, int64_t), void (*narrow)(const Rows&, int64_t, int64_t)) {
    const auto loop = x.scalar_type() == at::kBFloat16 ? narrow : wide;
    parallel_for(x.numel() / rows.features, std::max<int64_t>(1, 16384 / rows.features), [&](int64_t begin, int64_t end) { loop(rows, begin, end); });
}

void forward(const at::Tensor& x, const at::Tensor& weight, double eps, at::Tensor& y, at::Tensor& inverse_rms) {
    const Rows rows{x.const_data_ptr(), weight.const_data_ptr(), nullptr, y.mutable_data_ptr(), inverse_rms.mutable_data_ptr<float>(), x.size(-1), eps};
    run(x, rows, forward_loop<float>, forward_loop<uint16_t>);
}

void backward(const at::Tensor& grad_y, const at::Tensor& x, const at::Tensor& weight, const at::Tensor& inverse_rms, at::Tensor& grad_x) {
    const Rows rows{x.const_data_ptr(), weight.const_data_ptr(), grad_y.const_data_ptr(), grad_x.mutable_data_ptr(),
                    const_cast<float*>(inverse_rms.const_data_ptr<float>()), x.size(-1), 0};
    run(x, rows, backward_loop<float>, backward_loop<uint16_t>);
}

}  // namespace

const RmsNormKernels rms_norm_kernels{forward, backward};

}  // namespace calibench::cpu
