#include "core/kernels/causal_softmax.h"

#include <algorithm>
#include <limits>
#include <vector>

#include <ATen/ATen.h>

#include "core/kernels/backends.h"
#include "core/kernels/cpu/loops.h"
#include "core/kernels/cpu/parallel.h"

namespace calibench::cpu {

namespace {

using lanes::Lanes;

struct Rows {
    const void* probabilities;  ///< backward only
    void* scores;               ///< replaced by the result
    int64_t seq;
    float scale;
};

template <int N>
CALIBENCH_INLINE float largest(typename Lanes<N>::Float x) {
    float most = x[0];
    for (int i = 1; i < N; ++i) most = std::max(most, x[i]);
    return most;
}

template <int N, typename T>
CALIBENCH_INLINE void forward_rows(const Rows& rows, int64_t begin, int64_t end) {
    using L = Lanes<N>;
    using Float = typename L::Float;
    std::vector<float> powers(static_cast<size_t>((rows.seq + N - 1) / N * N));
    for (int64_t row = begin; row < end; ++row) {
        T* scores = static_cast<T*>(rows.scores) + row * rows.seq;
        const int64_t seen = row % rows.seq + 1;
        Float most = L::broadcast(-std::numeric_limits<float>::infinity());
        int64_t i = 0;
        for (; i + N <= seen; i += N) {
            const Float x = L::load(scores + i) * rows.scale;
            L::store(powers.data() + i, x);
            most = x > most ? x : most;
        }
        if (i < seen) {
            Float x = L::load(scores + i, seen - i) * rows.scale;
            for (int lane = static_cast<int>(seen - i); lane < N; ++lane) x[lane] = -std::numeric_limits<float>::infinity();
            L::store(powers.data() + i, x);
            most = x > most ? x : most;
        }
        const float top = largest<N>(most);
        Float total = {};
        for (i = 0; i < seen; i += N) {
            const Float power = L::exp(L::load(powers.data() + i) - top);
            L::store(powers.data() + i, power);
            total += power;
        }
        const float inverse = static_cast<float>(1.0 / L::sum(total));
        for (i = 0; i < seen; i += N) L::store(scores + i, L::load(powers.data() + i) * inverse, seen - i);
        std::memset(scores + seen, 0, static_cast<size_t>(rows.seq - seen) * sizeof(T));
    }
}

/// scale * p * (grad - sum(p * grad)); zero by itself where p is.
template <int N, typename T>
CALIBENCH_INLINE void backward_rows(const Rows& rows, int64_t begin, int64_t end) {
    using L = Lanes<N>;
    for (int64_t row = begin; row < end; ++row) {
        const T* probabilities = static_cast<const T*>(rows.probabilities) + row * rows.seq;
        T* grad = static_cast<T*>(rows.scores) + row * rows.seq;
        const int64_t seen = row % rows.seq + 1;
        typename L::Float products = {};
        for (int64_t i = 0; i < seen; i += N) products += L::load(probabilities + i, seen - i) * L::load(grad + i, seen - i);
        const auto mean = static_cast<float>(L::sum(products));
        for (int64_t i = 0; i < seen; i += N)
            L::store(grad + i, L::load(probabilities + i, seen - i) * (L::load(grad + i, seen - i) - mean) * rows.scale, seen - i);
        std::memset(grad + seen, 0, static_cast<size_t>(rows.seq - seen) * sizeof(T));
    }
}

CALIBENCH_LOOP(forward_loop, forward_rows, Rows)
CALIBENCH_LOOP(backward_loop, backward_rows, Rows)

void run(const at::Tensor& scores, const Rows& rows, void (*loop)(const Rows&, int64_t, int64_t)) {
    parallel_for(scores.numel() / rows.seq, std::max<int64_t>(1, 16384 / rows.seq), [&](int64_t begin, int64_t end) { loop(rows, begin, end); });
}

void forward(at::Tensor& scores, double scale) {
    const Rows rows{nullptr, scores.mutable_data_ptr(), scores.size(-1), static_cast<float>(scale)};
    run(scores, rows, scores.scalar_type() == at::kBFloat16 ? forward_loop<uint16_t> : forward_loop<float>);
}

void backward(const at::Tensor& probabilities, at::Tensor& grad, double scale) {
    const Rows rows{probabilities.const_data_ptr(), grad.mutable_data_ptr(), grad.size(-1), static_cast<float>(scale)};
    run(grad, rows, grad.scalar_type() == at::kBFloat16 ? backward_loop<uint16_t> : backward_loop<float>);
}

}  // namespace

const CausalSoftmaxKernels causal_softmax_kernels{forward, backward};

}  // namespace calibench::cpu
