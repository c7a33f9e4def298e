#include "core/kernels/cuda/device.cuh"

namespace calibench::cuda {

namespace {

constexpr int threads = 256;

/// One block a row: each row's sum is kept apart, so that the total does not depend on the order in which rows finish.
template <typename T>
__global__ void loss_rows(LossArguments p) {
    const double kept = static_cast<double>(*p.kept > 0 ? *p.kept : 1);
    const float factor = static_cast<float>(p.factor * 2.0 / (kept * static_cast<double>(p.features)));
    for (int64_t row = blockIdx.x; row < p.rows; row += gridDim.x) {
        const T* output = static_cast<const T*>(p.output) + row * p.features;
        const T* target = static_cast<const T*>(p.target) + row * p.features;
        T* gradient = static_cast<T*>(p.gradient) + row * p.features;
        const bool counts = p.mask == nullptr || p.mask[row];
        double sum = 0;
        for (int64_t i = threadIdx.x; i < p.features; i += threads) {
            const float error = counts ? load(output + i) - load(target + i) : 0.0f;
            store(gradient + i, error * factor);
            sum += error * error;
        }
        sum = sum_over<threads>(sum);
        if (threadIdx.x == 0) p.sums[row] = sum;
    }
}

}  // namespace

void launch_block_loss(const LossArguments& arguments, bool narrow, void* stream) {
    launch("block_loss", narrow ? loss_rows<__nv_bfloat16> : loss_rows<float>, arguments, arguments.rows, threads, stream);
}

}  // namespace calibench::cuda
