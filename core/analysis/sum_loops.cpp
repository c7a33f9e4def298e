#include "core/analysis/sum_loops.h"

#include <cmath>
#include <cstring>

#include "core/analysis/double_lanes.h"
#include "core/kernels/cpu/loops.h"

namespace calibench {

namespace {

using lanes::Doubles;
using lanes::Lanes;

/// One lane of all: by halves, as short runs have little else to do.
template <int N, typename Pick>
CALIBENCH_INLINE float fold(typename Lanes<N>::Float x, const Pick& pick) {
    if constexpr (N > 4) {
        typename Lanes<N / 2>::Float low, high;
        std::memcpy(&low, &x, sizeof low);
        std::memcpy(&high, reinterpret_cast<const char*>(&x) + sizeof low, sizeof high);
        return fold<N / 2>(pick(low, high), pick);
    } else {
        return pick(pick(float(x[0]), float(x[1])), pick(float(x[2]), float(x[3])));
    }
}

/// The smallest and the largest so far. NaN is left out: comparing with it says no.
template <int N>
struct Range {
    using Float = typename Lanes<N>::Float;
    Float lows, highs;

    CALIBENCH_INLINE Range(float low, float high) : lows(Lanes<N>::broadcast(low)), highs(Lanes<N>::broadcast(high)) {}
    CALIBENCH_INLINE void add(Float value) {
        lows = value < lows ? value : lows;
        highs = value > highs ? value : highs;
    }
    CALIBENCH_INLINE float low() const {
        return fold<N>(lows, [](auto a, auto b) __attribute__((always_inline)) { return a < b ? a : b; });
    }
    CALIBENCH_INLINE float high() const {
        return fold<N>(highs, [](auto a, auto b) __attribute__((always_inline)) { return a > b ? a : b; });
    }
};

template <int N>
CALIBENCH_INLINE double sum_of_squares(const float* x, int64_t count) {
    using D = Doubles<N>;
    typename D::Double even = {}, odd = {};
    int64_t i = 0;
    for (; i + N <= count; i += N) {
        const auto values = D::load(x + i);
        even += values.first * values.first;
        odd += values.second * values.second;
    }
    double total = D::sum(even + odd);
    for (; i < count; ++i) total += double(x[i]) * double(x[i]);
    return total;
}

template <int N>
CALIBENCH_INLINE void range(const float* x, int64_t count, float& low, float& high) {
    Range<N> found(low, high);
    int64_t i = 0;
    for (; i + N <= count; i += N) found.add(Lanes<N>::load(x + i));
    low = found.low();
    high = found.high();
    for (; i < count; ++i) {
        low = x[i] < low ? x[i] : low;
        high = x[i] > high ? x[i] : high;
    }
}

template <int N>
CALIBENCH_INLINE int64_t count_outside(const float* x, int64_t count, float low, float high) {
    using L = Lanes<N>;
    typename L::Uint outside = {};
    const auto lows = L::broadcast(low), highs = L::broadcast(high);
    int64_t i = 0, total = 0;
    for (; i + N <= count; i += N) {
        const auto value = L::load(x + i);
        outside -= reinterpret_cast<typename L::Uint>(value < lows) + reinterpret_cast<typename L::Uint>(value > highs);
    }
    for (int lane = 0; lane < N; ++lane) total += outside[lane];
    for (; i < count; ++i) total += x[i] < low || x[i] > high;
    return total;
}

// ---- measure

/// A scale that was rounded to bfloat16 may end a grid so much before the largest value that made it; that is not called clipping.
constexpr float scale_tolerance = 1 + 0x1p-8f;

struct Measuring {
    const MeasuredPiece& piece;
    const RowScales& scales;
    const LevelBounds& bounds;
    GroupSums* groups;
    RowSums& row;
};

/// How many they were.
int64_t replace_not_finite(const MeasuredPiece& piece) {
    int64_t count = 0;
    for (int64_t i = 0; i < piece.count; ++i) {
        if (std::isfinite(piece.weight[i])) continue;
        ++count;
        piece.weight[i] = 0;
        piece.quantized[i] = std::numeric_limits<float>::quiet_NaN();
        if (piece.levels) piece.levels[i] = std::numeric_limits<float>::quiet_NaN();
    }
    return count;
}

template <int N>
CALIBENCH_INLINE bool are_all_finite(const float* x, int64_t count) {
    using L = Lanes<N>;
    typename L::Float check = {};
    int64_t i = 0;
    for (; i < count; i += N) {
        const auto value = L::load(x + i, count - i);
        check += value - value;  // 0, or NaN
    }
    return L::sum(check) == 0;
}

template <int N>
CALIBENCH_INLINE void fill_in_errors(const MeasuredPiece& piece, bool all_finite) {
    using L = Lanes<N>;
    for (int64_t i = 0; i < piece.count; i += N) {
        const int64_t rest = piece.count - i;
        L::store(piece.error + i, L::load(piece.weight + i, rest) - L::load(piece.quantized + i, rest), rest);
    }
    for (int64_t i = 0; !all_finite && i < piece.count; ++i)
        if (std::isnan(piece.quantized[i])) piece.error[i] = 0;
}

template <int N>
CALIBENCH_INLINE void weight_range(const MeasuredPiece& piece, int64_t at, int64_t count, bool all_finite, float& low, float& high) {
    if (all_finite) return range<N>(piece.weight + at, count, low, high);
    for (int64_t i = at; i < at + count; ++i) {
        if (std::isnan(piece.quantized[i])) continue;
        low = std::min(low, piece.weight[i]);
        high = std::max(high, piece.weight[i]);
    }
}

/// The same as the loops above, whose values are all finite, in one.
template <int N>
CALIBENCH_INLINE GroupSums sum_run(const float* weight, const float* error, const float* level, int64_t count) {
    using D = Doubles<N>;
    using L = Lanes<N>;
    typename D::Double weight_even = {}, weight_odd = {}, error_even = {}, error_odd = {};
    GroupSums sums;
    Range<N> weights(sums.low, sums.high), levels(sums.low, sums.high);
    int64_t i = 0;
    for (; i + N <= count; i += N) {
        const auto w = D::load(weight + i), e = D::load(error + i);
        weight_even += w.first * w.first;
        weight_odd += w.second * w.second;
        error_even += e.first * e.first;
        error_odd += e.second * e.second;
        weights.add(L::load(weight + i));
        levels.add(L::load(level + i));
    }
    sums.weight_energy = D::sum(weight_even + weight_odd);
    sums.error_energy = D::sum(error_even + error_odd);
    sums.low = weights.low();
    sums.high = weights.high();
    sums.low_level = levels.low();
    sums.high_level = levels.high();
    sums.count = count;
    for (; i < count; ++i) {
        sums.weight_energy += double(weight[i]) * double(weight[i]);
        sums.error_energy += double(error[i]) * double(error[i]);
        sums.low = std::min(sums.low, weight[i]);
        sums.high = std::max(sums.high, weight[i]);
        sums.low_level = std::min(sums.low_level, level[i]);
        sums.high_level = std::max(sums.high_level, level[i]);
    }
    return sums;
}

/// Of values among which some are not finite.
template <int N>
CALIBENCH_INLINE GroupSums sum_finite(const MeasuredPiece& piece, int64_t at, int64_t count) {
    GroupSums sums;
    sums.weight_energy = sum_of_squares<N>(piece.weight + at, count);
    sums.error_energy = sum_of_squares<N>(piece.error + at, count);
    weight_range<N>(piece, at, count, false, sums.low, sums.high);
    range<N>(piece.levels + at, count, sums.low_level, sums.high_level);
    sums.count = count - std::count_if(piece.levels + at, piece.levels + at + count, [](float level) { return std::isnan(level); });
    return sums;
}

template <int N>
CALIBENCH_INLINE void measure_runs(const Measuring& measuring, bool all_finite) {
    const MeasuredPiece& piece = measuring.piece;
    const RowScales& scales = measuring.scales;
    RowSums row = measuring.row;  // a copy: it stays in registers from run to run
    for (GroupRuns run(scales, piece.column, piece.column + piece.count); run.more(); run.advance()) {
        const int64_t at = run.begin - piece.column, count = run.end - run.begin;
        const GroupSums sums = all_finite ? sum_run<N>(piece.weight + at, piece.error + at, piece.levels + at, count) : sum_finite<N>(piece, at, count);
        measuring.groups[run.group].add(sums);
        row.low = std::min(row.low, sums.low);
        row.high = std::max(row.high, sums.high);
        row.weight_energy += sums.weight_energy;
        row.error_energy += sums.error_energy;
        row.low_level = std::min(row.low_level, sums.low_level);
        row.high_level = std::max(row.high_level, sums.high_level);

        const float scale = scales.scale[run.group], zero_point = scales.zero_point ? scales.zero_point[run.group] : 0;
        const float one_end = (measuring.bounds.low - zero_point) * scale * scale_tolerance;
        const float other_end = (measuring.bounds.high - zero_point) * scale * scale_tolerance;
        const float low = std::min(one_end, other_end), high = std::max(one_end, other_end);
        if (sums.low < low || sums.high > high) row.num_outside += count_outside<N>(piece.weight + at, count, low, high);
    }
    measuring.row = row;
}

template <int N, typename T>
CALIBENCH_INLINE void measure_piece(const Measuring& measuring, int64_t, int64_t) {
    const MeasuredPiece& piece = measuring.piece;
    RowSums& row = measuring.row;
    const bool all_finite = are_all_finite<N>(piece.weight, piece.count);
    if (!all_finite) row.num_not_finite += replace_not_finite(piece);
    fill_in_errors<N>(piece, all_finite);
    if (piece.levels) {
        measure_runs<N>(measuring, all_finite);
    } else {
        row.weight_energy += sum_of_squares<N>(piece.weight, piece.count);
        row.error_energy += sum_of_squares<N>(piece.error, piece.count);
        weight_range<N>(piece, 0, piece.count, all_finite, row.low, row.high);
    }
    range<N>(piece.quantized, piece.count, row.low_quantized, row.high_quantized);
    range<N>(piece.error, piece.count, row.low_error, row.high_error);
}

CALIBENCH_LOOP(measure_loop, measure_piece, Measuring)

// ---- add_to_columns

struct ColumnAdding {
    const MeasuredRows& rows;
    const ColumnSums& columns;
};

template <int N>
CALIBENCH_INLINE void add_squares(const float* values, const MeasuredRows& rows, double* sums) {
    using D = Doubles<N>;
    int64_t i = 0;
    for (; i + N <= rows.columns; i += N) {
        typename D::Two sum;
        std::memcpy(&sum.first, sums + i, sizeof sum.first);
        std::memcpy(&sum.second, sums + i + D::lanes, sizeof sum.second);
        for (int64_t row = 0; row < rows.rows; ++row) {
            const auto value = D::load(values + row * rows.stride + i);
            sum.first += value.first * value.first;
            sum.second += value.second * value.second;
        }
        std::memcpy(sums + i, &sum.first, sizeof sum.first);
        std::memcpy(sums + i + D::lanes, &sum.second, sizeof sum.second);
    }
    for (; i < rows.columns; ++i)
        for (int64_t row = 0; row < rows.rows; ++row) sums[i] += double(values[row * rows.stride + i]) * double(values[row * rows.stride + i]);
}

template <int N, typename T>
CALIBENCH_INLINE void add_rows(const ColumnAdding& adding, int64_t, int64_t) {
    using L = Lanes<N>;
    const MeasuredRows& rows = adding.rows;
    add_squares<N>(rows.weight, rows, adding.columns.weight_energy);
    add_squares<N>(rows.error, rows, adding.columns.error_energy);
    float* largest = adding.columns.max_abs_error;
    for (int64_t i = 0; i < rows.columns; i += N) {
        const int64_t rest = rows.columns - i;
        auto most = L::load(largest + i, rest);
        for (int64_t row = 0; row < rows.rows; ++row) {
            const auto error = L::load(rows.error + row * rows.stride + i, rest);
            const auto magnitude = reinterpret_cast<typename L::Float>(reinterpret_cast<typename L::Uint>(error) & 0x7fffffffu);
            most = magnitude > most ? magnitude : most;
        }
        L::store(largest + i, most, rest);
    }
}

CALIBENCH_LOOP(add_rows_loop, add_rows, ColumnAdding)

}  // namespace

void measure(const MeasuredPiece& piece, const RowScales& scales, const LevelBounds& bounds, GroupSums* groups, RowSums& row) {
    measure_loop<float>({piece, scales, bounds, groups, row}, 0, 0);
}

void add_to_columns(const MeasuredRows& rows, const ColumnSums& columns) { add_rows_loop<float>({rows, columns}, 0, 0); }

}  // namespace calibench
