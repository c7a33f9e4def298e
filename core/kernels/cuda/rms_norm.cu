#include "core/kernels/cuda/device.cuh"

namespace calibench::cuda {

namespace {

constexpr int threads = 256;

/// One block a row.
template <typename T>
__global__ void forward_rows(NormArguments p) {
    const T* weight = static_cast<const T*>(p.weight);
    for (int64_t row = blockIdx.x; row < p.rows; row += gridDim.x) {
        const T* x = static_cast<const T*>(p.x) + row * p.features;
        T* y = static_cast<T*>(p.result) + row * p.features;
        double squares = 0;
        for (int64_t i = threadIdx.x; i < p.features; i += threads) {
            const float value = load(x + i);
            squares += value * value;
        }
        squares = sum_over<threads>(squares);
        const float inverse = static_cast<float>(1.0 / sqrt(squares / static_cast<double>(p.features) + p.eps));
        if (threadIdx.x == 0) p.inverse_rms[row] = inverse;
        for (int64_t i = threadIdx.x; i < p.features; i += threads) store(y + i, load(weight + i) * narrowed<T>(load(x + i) * inverse));
    }
}

/// With n = x * inverse_rms and h = weight * grad_y: grad_x = inverse_rms * (h - n * mean(h * n)).
template <typename T>
__global__ void backward_rows(NormArguments p) {
    const T* weight = static_cast<const T*>(p.weight);
    for (int64_t row = blockIdx.x; row < p.rows; row += gridDim.x) {
        const T* x = static_cast<const T*>(p.x) + row * p.features;
        const T* grad_y = static_cast<const T*>(p.grad_y) + row * p.features;
        T* grad_x = static_cast<T*>(p.result) + row * p.features;
        const float inverse = p.inverse_rms[row];
        double products = 0;
        for (int64_t i = threadIdx.x; i < p.features; i += threads) products += load(weight + i) * load(grad_y + i) * load(x + i);
        const float pull = static_cast<float>(sum_over<threads>(products) / static_cast<double>(p.features)) * inverse * inverse * inverse;
        for (int64_t i = threadIdx.x; i < p.features; i += threads)
            store(grad_x + i, load(weight + i) * load(grad_y + i) * inverse - load(x + i) * pull);
    }
}

}  // namespace

void launch_rms_norm_forward(const NormArguments& arguments, bool narrow, void* stream) {
    launch("rms_norm_forward", narrow ? forward_rows<__nv_bfloat16> : forward_rows<float>, arguments, arguments.rows, threads, stream);
}

void launch_rms_norm_backward(const NormArguments& arguments, bool narrow, void* stream) {
    launch("rms_norm_backward", narrow ? backward_rows<__nv_bfloat16> : backward_rows<float>, arguments, arguments.rows, threads, stream);
}

}  // namespace calibench::cuda
