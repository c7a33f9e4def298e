#include "core/kernels/block_loss.h"

#include <vector>

#include <ATen/ATen.h>

#include "core/kernels/backends.h"
#include "core/kernels/cpu/lanes.h"
#include "core/kernels/cpu/parallel.h"

namespace calibench::cpu {

namespace {

using lanes::InstructionSet;
using lanes::Lanes;

struct Rows {
    const void* output;
    const void* target;
    void* gradient;
    const bool* mask;  ///< or null
    double* sums;      ///< per row: they are added in order, so that no number depends on the number of threads
    int64_t features;
    float factor;
};

template <int N, typename T>
CALIBENCH_INLINE typename Lanes<N>::Float loss_vector(const T* output, const T* target, T* gradient, float factor) {
    using L = Lanes<N>;
    const auto error = L::load(output) - L::load(target);
    L::store(gradient, error * factor);
    return error * error;
}

template <int N, typename T>
CALIBENCH_INLINE double loss_row(const T* output, const T* target, T* gradient, int64_t n, float factor) {
    typename Lanes<N>::Float sum = {};
    int64_t i = 0;
    for (; i + N <= n; i += N) sum += loss_vector<N>(output + i, target + i, gradient + i, factor);
    if (i < n) {
        T output_rest[N] = {}, target_rest[N] = {}, gradient_rest[N] = {};
        const size_t bytes = static_cast<size_t>(n - i) * sizeof(T);
        std::memcpy(output_rest, output + i, bytes);
        std::memcpy(target_rest, target + i, bytes);
        sum += loss_vector<N>(output_rest, target_rest, gradient_rest, factor);
        std::memcpy(gradient + i, gradient_rest, bytes);
    }
    return Lanes<N>::sum(sum);
}

template <int N, typename T>
CALIBENCH_INLINE void loss_rows(const Rows& rows, int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
        const int64_t offset = row * rows.features;
        T* gradient = static_cast<T*>(rows.gradient) + offset;
        if (rows.mask && !rows.mask[row]) {
            std::memset(gradient, 0, static_cast<size_t>(rows.features) * sizeof(T));
            rows.sums[row] = 0;
            continue;
        }
        rows.sums[row] = loss_row<N>(static_cast<const T*>(rows.output) + offset, static_cast<const T*>(rows.target) + offset,
                                     gradient, rows.features, rows.factor);
    }
}

using Loop = void (*)(const Rows&, int64_t begin, int64_t end);

template <typename T>
CALIBENCH_TARGET_AVX512 void loss_avx512(const Rows& rows, int64_t begin, int64_t end) { loss_rows<16, T>(rows, begin, end); }
template <typename T>
CALIBENCH_TARGET_AVX2 void loss_avx2(const Rows& rows, int64_t begin, int64_t end) { loss_rows<8, T>(rows, begin, end); }
template <typename T>
void loss_baseline(const Rows& rows, int64_t begin, int64_t end) { loss_rows<4, T>(rows, begin, end); }

template <typename T>
Loop loss_loop() {
    switch (lanes::instruction_set()) {
        case InstructionSet::Avx512: return loss_avx512<T>;
        case InstructionSet::Avx2: return loss_avx2<T>;
        case InstructionSet::Baseline: break;
    }
    return loss_baseline<T>;
}

}  // namespace

double block_loss(const at::Tensor& output, const at::Tensor& target, const at::Tensor& mask, double factor, at::Tensor& gradient) {
    const int64_t features = output.size(-1);
    const int64_t count = output.numel() / features;
    const int64_t kept = mask.defined() ? mask.sum().item<int64_t>() : count;
    const double elements = static_cast<double>(std::max<int64_t>(1, kept) * features);
    std::vector<double> sums(static_cast<size_t>(count));
    const Rows rows{output.const_data_ptr(), target.const_data_ptr(), gradient.mutable_data_ptr(),
                    mask.defined() ? mask.const_data_ptr<bool>() : nullptr, sums.data(), features,
                    static_cast<float>(factor * 2.0 / elements)};
    const Loop loop = output.scalar_type() == at::kBFloat16 ? loss_loop<uint16_t>() : loss_loop<float>();
    parallel_for(count, std::max<int64_t>(1, 32768 / features),
                     [&](int64_t begin, int64_t end) { loop(rows, begin, end); });
    double total = 0;
    for (const double sum : sums) total += sum;
    return total / elements;
}

}  // namespace calibench::cpu
