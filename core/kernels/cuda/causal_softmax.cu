#include <cmath>

#include "core/kernels/cuda/device.cuh"

namespace calibench::cuda {

namespace {

constexpr int threads = 128;

/// One block a row.
template <typename T>
__global__ void forward_rows(SoftmaxArguments p) {
    for (int64_t row = blockIdx.x; row < p.rows; row += gridDim.x) {
        T* scores = static_cast<T*>(p.scores) + row * p.seq;
        const int64_t seen = row % p.seq + 1;
        float most = -INFINITY;
        for (int64_t i = threadIdx.x; i < seen; i += threads) most = Greatest{}(most, load(scores + i) * p.scale);
        most = combined<Greatest, threads>(most);
        double total = 0;
        for (int64_t i = threadIdx.x; i < seen; i += threads) total += expf(load(scores + i) * p.scale - most);
        const float inverse = static_cast<float>(1.0 / sum_over<threads>(total));
        for (int64_t i = threadIdx.x; i < p.seq; i += threads)
            store(scores + i, i < seen ? expf(load(scores + i) * p.scale - most) * inverse : 0.0f);
    }
}

/// scale * p * (grad - sum(p * grad)).
template <typename T>
__global__ void backward_rows(SoftmaxArguments p) {
    for (int64_t row = blockIdx.x; row < p.rows; row += gridDim.x) {
        const T* probabilities = static_cast<const T*>(p.probabilities) + row * p.seq;
        T* grad = static_cast<T*>(p.scores) + row * p.seq;
        const int64_t seen = row % p.seq + 1;
        double products = 0;
        for (int64_t i = threadIdx.x; i < seen; i += threads) products += load(probabilities + i) * load(grad + i);
        const float mean = static_cast<float>(sum_over<threads>(products));
        for (int64_t i = threadIdx.x; i < p.seq; i += threads)
            store(grad + i, i < seen ? load(probabilities + i) * (load(grad + i) - mean) * p.scale : 0.0f);
    }
}

}  // namespace

void launch_causal_softmax_forward(const SoftmaxArguments& arguments, bool narrow, void* stream) {
    launch("causal_softmax_forward", narrow ? forward_rows<__nv_bfloat16> : forward_rows<float>, arguments, arguments.rows, threads, stream);
}

void launch_causal_softmax_backward(const SoftmaxArguments& arguments, bool narrow, void* stream) {
    launch("causal_softmax_backward", narrow ? backward_rows<__nv_bfloat16> : backward_rows<float>, arguments, arguments.rows, threads, stream);
}

}  // namespace calibench::cuda
