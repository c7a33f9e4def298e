#include "core/kernels/cpu/column_range.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <mutex>
#include <vector>

#include <ATen/ATen.h>

#include "core/kernels/cpu/loops.h"
#include "core/kernels/cpu/parallel.h"

namespace calibench {

namespace {

using lanes::Lanes;

constexpr int64_t rows_at_a_time = 16;        // go through the first-level cache together
constexpr int64_t values_per_task = 1 << 16;

struct ColumnLoop {
    const void* matrix;
    int64_t columns;
    float* min;
    float* max;
    float* check;  ///< NaN or infinite when a value was
};

template <int N, typename T>
CALIBENCH_INLINE void range_of_rows(const ColumnLoop& loop, int64_t begin, int64_t end) {
    using L = Lanes<N>;
    typename L::Float check = {};
    for (int64_t first = begin; first < end; first += rows_at_a_time) {
        const int64_t last = std::min(end, first + rows_at_a_time);
        for (int64_t column = 0; column < loop.columns; column += N) {
            const int64_t count = loop.columns - column;
            auto min = L::load(loop.min + column, count), max = L::load(loop.max + column, count);
            const T* from = static_cast<const T*>(loop.matrix) + first * loop.columns + column;
            for (int64_t row = first; row < last; ++row, from += loop.columns) {
                const auto value = L::load(from, count);
                min = value < min ? value : min;
                max = value > max ? value : max;
                check += value * 0.0f;
            }
            L::store(loop.min + column, min, count);
            L::store(loop.max + column, max, count);
        }
    }
    *loop.check = static_cast<float>(L::sum(check));
}

CALIBENCH_LOOP(range_loop, range_of_rows, ColumnLoop)

}  // namespace

std::pair<at::Tensor, at::Tensor> column_min_max(const at::Tensor& matrix) {
    const at::ScalarType dtype = matrix.scalar_type();
    const auto by_tensors = [&] { return std::pair(matrix.amin(0).to(at::kFloat), matrix.amax(0).to(at::kFloat)); };
    if (!matrix.device().is_cpu() || (dtype != at::kFloat && dtype != at::kBFloat16) || matrix.numel() == 0) return by_tensors();

    const at::Tensor values = matrix.contiguous();
    const int64_t rows = values.size(0), columns = values.size(1);
    const at::Tensor min = at::full({columns}, std::numeric_limits<float>::infinity(), at::kFloat), max = -min;
    bool finite = true;
    std::mutex mutex;  // guards what follows `part`
    parallel_for(rows, std::max<int64_t>(1, values_per_task / columns), [&](int64_t begin, int64_t end) {
        std::vector<float> part_min(size_t(columns), std::numeric_limits<float>::infinity());
        std::vector<float> part_max(size_t(columns), -std::numeric_limits<float>::infinity());
        float check = 0;
        const ColumnLoop loop{values.const_data_ptr(), columns, part_min.data(), part_max.data(), &check};
        dtype == at::kFloat ? range_loop<float>(loop, begin, end) : range_loop<uint16_t>(loop, begin, end);
        const std::lock_guard lock(mutex);
        finite = finite && std::isfinite(check);
        float* const mins = min.data_ptr<float>();
        float* const maxs = max.data_ptr<float>();
        for (int64_t column = 0; column < columns; ++column) {
            mins[column] = std::min(mins[column], part_min[size_t(column)]);
            maxs[column] = std::max(maxs[column], part_max[size_t(column)]);
        }
    });
    if (!finite) return by_tensors();  // comparisons pass over NaN
    return {min, max};
}

}  // namespace calibench
