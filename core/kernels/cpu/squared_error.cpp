#include "core/kernels/cpu/squared_error.h"

#include <algorithm>
#include <vector>

#include <ATen/ATen.h>

#include "core/kernels/cpu/loops.h"
#include "core/kernels/cpu/parallel.h"

namespace calibench {

namespace {

using lanes::Lanes;

constexpr int64_t piece_size = 2048;  // few enough to add in float32
constexpr int64_t pieces_per_task = 16;

struct ErrorLoop {
    const void* exact;
    const void* approximate;
    int64_t count;
    SquaredError* pieces;
};

template <int N, typename T>
CALIBENCH_INLINE void add_pieces(const ErrorLoop& loop, int64_t begin, int64_t end) {
    using L = Lanes<N>;
    for (int64_t piece = begin; piece < end; ++piece) {
        const int64_t first = piece * piece_size, last = std::min(loop.count, first + piece_size);
        typename L::Float signal = {}, noise = {};
        for (int64_t i = first; i < last; i += N) {
            const auto exact = L::load(static_cast<const T*>(loop.exact) + i, last - i);
            const auto error = exact - L::load(static_cast<const T*>(loop.approximate) + i, last - i);
            signal += exact * exact;
            noise += error * error;
        }
        loop.pieces[piece] = {L::sum(signal), L::sum(noise)};
    }
}

CALIBENCH_LOOP(add_errors, add_pieces, ErrorLoop)

/// A head in float32 would be the largest thing in memory, so not all at once.
SquaredError sum_by_tensors(const at::Tensor& exact, const at::Tensor& approximate) {
    constexpr int64_t values_at_a_time = 1 << 22;
    const at::Tensor a = exact.reshape({-1}), b = approximate.reshape({-1});
    SquaredError sum;
    for (int64_t begin = 0; begin < a.numel(); begin += values_at_a_time) {
        const auto part = [&](const at::Tensor& all) { return all.slice(0, begin, begin + values_at_a_time).to(at::kFloat); };
        const at::Tensor values = part(a), error = values - part(b);
        sum.signal += at::sum(values.square(), at::kDouble).item<double>();
        sum.noise += at::sum(error.square(), at::kDouble).item<double>();
    }
    return sum;
}

}  // namespace

SquaredError squared_error(const at::Tensor& exact, const at::Tensor& approximate) {
    const at::ScalarType dtype = exact.scalar_type();
    const bool has_loop = exact.device().is_cpu() && approximate.device().is_cpu() && dtype == approximate.scalar_type() &&
                          (dtype == at::kFloat || dtype == at::kBFloat16);
    if (!has_loop) return sum_by_tensors(exact, approximate);

    const at::Tensor a = exact.contiguous(), b = approximate.contiguous();
    std::vector<SquaredError> pieces(size_t((a.numel() + piece_size - 1) / piece_size));
    const ErrorLoop loop{a.const_data_ptr(), b.const_data_ptr(), a.numel(), pieces.data()};
    parallel_for(int64_t(pieces.size()), pieces_per_task, [&](int64_t begin, int64_t end) {
        dtype == at::kFloat ? add_errors<float>(loop, begin, end) : add_errors<uint16_t>(loop, begin, end);
    });
    SquaredError sum;
    for (const SquaredError& piece : pieces) {
        sum.signal += piece.signal;
        sum.noise += piece.noise;
    }
    return sum;
}

}  // namespace calibench
