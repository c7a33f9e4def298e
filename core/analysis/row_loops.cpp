#include "core/analysis/row_loops.h"

#include <algorithm>
#include <cmath>

#include "core/kernels/cpu/loops.h"

namespace calibench {

namespace {

using lanes::Lanes;

/// Half a register of floats, and the same values as doubles.
template <int N>
struct DoubleTypes;
template <>
struct DoubleTypes<4> {
    typedef int32_t Int __attribute__((vector_size(8)));
    typedef float Half __attribute__((vector_size(8)));
    typedef double Double __attribute__((vector_size(16)));
};
template <>
struct DoubleTypes<8> {
    typedef int32_t Int __attribute__((vector_size(16)));
    typedef float Half __attribute__((vector_size(16)));
    typedef double Double __attribute__((vector_size(32)));
};
template <>
struct DoubleTypes<16> {
    typedef int32_t Int __attribute__((vector_size(32)));
    typedef float Half __attribute__((vector_size(32)));
    typedef double Double __attribute__((vector_size(64)));
};

template <int N>
struct Doubles {
    using Half = typename DoubleTypes<N>::Half;
    using Double = typename DoubleTypes<N>::Double;
    using Int = typename DoubleTypes<N>::Int;
    static constexpr int lanes = N / 2;

    static CALIBENCH_INLINE Double load(const float* from) {
        Half half;
        std::memcpy(&half, from, sizeof half);
        return __builtin_convertvector(half, Double);
    }
    static CALIBENCH_INLINE double sum(Double x) {
        double total = 0;
        for (int i = 0; i < lanes; ++i) total += x[i];
        return total;
    }
};

template <int N>
CALIBENCH_INLINE double sum_of_squares(const float* x, int64_t count) {
    using D = Doubles<N>;
    typename D::Double even = {}, odd = {};
    int64_t i = 0;
    for (; i + N <= count; i += N) {
        const auto a = D::load(x + i), b = D::load(x + i + D::lanes);
        even += a * a;
        odd += b * b;
    }
    double total = D::sum(even + odd);
    for (; i < count; ++i) total += double(x[i]) * double(x[i]);
    return total;
}

/// NaN is left out: comparing with it says no.
template <int N>
CALIBENCH_INLINE void range(const float* x, int64_t count, float& low, float& high) {
    using L = Lanes<N>;
    auto lows = L::broadcast(low), highs = L::broadcast(high);
    int64_t i = 0;
    for (; i + N <= count; i += N) {
        const auto value = L::load(x + i);
        lows = value < lows ? value : lows;
        highs = value > highs ? value : highs;
    }
    for (int lane = 0; lane < N; ++lane) {
        low = lows[lane] < low ? lows[lane] : low;
        high = highs[lane] > high ? highs[lane] : high;
    }
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

// ---- widen

struct Widening {
    const void* in;
    float* out;
};

template <int N, typename T>
CALIBENCH_INLINE void widen_values(const Widening& widening, int64_t begin, int64_t end) {
    using L = Lanes<N>;
    const T* in = static_cast<const T*>(widening.in);
    int64_t i = begin;
    for (; i + N <= end; i += N) L::store(widening.out + i, L::load(in + i));
    if (i < end) L::store(widening.out + i, L::load(in + i, end - i), end - i);
}

CALIBENCH_LOOP(widen_loop, widen_values, Widening)

// ---- restore

struct Restoring {
    const RowScales& scales;
    const float* levels;  ///< of column 0, as `out`
    float* out;
};

/// T: what products are rounded to.
template <int N, typename T>
CALIBENCH_INLINE void restore_columns(const Restoring& restoring, int64_t begin, int64_t end) {
    using L = Lanes<N>;
    const RowScales& scales = restoring.scales;
    for (int64_t column = begin; column < end;) {
        const int64_t group = scales.group_of(column), run_end = scales.end_of_run(column, end);
        const auto scale = L::broadcast(scales.scale[group]), zero_point = L::broadcast(scales.zero_point ? scales.zero_point[group] : 0.0f);
        for (; column < run_end; column += N) {
            const auto level = L::load(restoring.levels + column, run_end - column);
            L::store(restoring.out + column, L::template narrow<T>((level - zero_point) * scale), run_end - column);
        }
        column = run_end;
    }
}

CALIBENCH_LOOP(restore_loop, restore_columns, Restoring)

// ---- take_from, leave_out_not_finite

struct Pair {
    const float* weight;
    float* out;
};

template <int N, typename T>
CALIBENCH_INLINE void subtract_values(const Pair& pair, int64_t begin, int64_t end) {
    using L = Lanes<N>;
    for (int64_t i = begin; i < end; i += N) L::store(pair.out + i, L::load(pair.weight + i, end - i) - L::load(pair.out + i, end - i), end - i);
}

template <int N, typename T>
CALIBENCH_INLINE void mask_values(const Pair& pair, int64_t begin, int64_t end) {
    using L = Lanes<N>;
    for (int64_t i = begin; i < end; i += N) {
        const auto weight = L::load(pair.weight + i, end - i);
        L::store(pair.out + i, L::load(pair.out + i, end - i) + (weight - weight), end - i);  // 0 is added, or NaN
    }
}

CALIBENCH_LOOP(subtract_loop, subtract_values, Pair)
CALIBENCH_LOOP(mask_loop, mask_values, Pair)

// ---- measure

/// A scale that was rounded to bfloat16 may end a grid so much before the largest value that made it; that is not called clipping.
constexpr float scale_tolerance = 1 + 0x1p-8f;

struct Measuring {
    const MeasuredPiece& piece;
    const RowScales& scales;
    const LevelBounds& bounds;
    GroupSums* groups;
    RowSums& row;
    const ColumnSums& columns;
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
CALIBENCH_INLINE void add_columns(const MeasuredPiece& piece, const ColumnSums& columns) {
    using D = Doubles<N>;
    const auto add = [&](const float* values, double* sums) __attribute__((always_inline)) {
        int64_t i = 0;
        for (; i + D::lanes <= piece.count; i += D::lanes) {
            const auto value = D::load(values + i);
            typename D::Double sum;
            std::memcpy(&sum, sums + i, sizeof sum);
            sum += value * value;
            std::memcpy(sums + i, &sum, sizeof sum);
        }
        for (; i < piece.count; ++i) sums[i] += double(values[i]) * double(values[i]);
    };
    add(piece.weight, columns.weight_energy + piece.column);
    add(piece.error, columns.error_energy + piece.column);
    using L = Lanes<N>;
    float* largest = columns.max_abs_error + piece.column;
    for (int64_t i = 0; i < piece.count; i += N) {
        const int64_t rest = piece.count - i;
        const auto error = reinterpret_cast<typename L::Float>(reinterpret_cast<typename L::Uint>(L::load(piece.error + i, rest)) & 0x7fffffffu);
        const auto past = L::load(largest + i, rest);
        L::store(largest + i, error > past ? error : past, rest);
    }
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

template <int N>
CALIBENCH_INLINE void measure_runs(const Measuring& measuring, bool all_finite) {
    const MeasuredPiece& piece = measuring.piece;
    const RowScales& scales = measuring.scales;
    const int64_t end = piece.column + piece.count;
    for (int64_t column = piece.column; column < end;) {
        const int64_t group = scales.group_of(column), run_end = scales.end_of_run(column, end);
        const int64_t at = column - piece.column, count = run_end - column;
        GroupSums sums;
        sums.weight_energy = sum_of_squares<N>(piece.weight + at, count);
        sums.error_energy = sum_of_squares<N>(piece.error + at, count);
        weight_range<N>(piece, at, count, all_finite, sums.low, sums.high);
        range<N>(piece.levels + at, count, sums.low_level, sums.high_level);
        sums.count = all_finite ? count : count - std::count_if(piece.levels + at, piece.levels + at + count, [](float level) { return std::isnan(level); });
        measuring.groups[group].add(sums);
        measuring.row.weight_energy += sums.weight_energy;
        measuring.row.error_energy += sums.error_energy;
        measuring.row.low_level = std::min(measuring.row.low_level, sums.low_level);
        measuring.row.high_level = std::max(measuring.row.high_level, sums.high_level);

        const float scale = scales.scale[group], zero_point = scales.zero_point ? scales.zero_point[group] : 0;
        const float one_end = (measuring.bounds.low - zero_point) * scale * scale_tolerance;
        const float other_end = (measuring.bounds.high - zero_point) * scale * scale_tolerance;
        measuring.row.num_outside += count_outside<N>(piece.weight + at, count, std::min(one_end, other_end), std::max(one_end, other_end));
        column = run_end;
    }
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
    }
    weight_range<N>(piece, 0, piece.count, all_finite, row.low, row.high);
    range<N>(piece.quantized, piece.count, row.low_quantized, row.high_quantized);
    range<N>(piece.error, piece.count, row.low_error, row.high_error);
    add_columns<N>(piece, measuring.columns);
}

CALIBENCH_LOOP(measure_loop, measure_piece, Measuring)

// ---- find_bins

struct Binning {
    const BinRule& rule;
    const float* x;
    int32_t* bins;
};

template <int N, typename T>
CALIBENCH_INLINE void find_bins_of(const Binning& binning, int64_t begin, int64_t end) {
    using D = Doubles<N>;
    const BinRule& rule = binning.rule;
    const typename D::Int nowhere = typename D::Int{} + rule.num_bins, last = nowhere - 1;
    int64_t i = begin;
    for (; i + D::lanes <= end; i += D::lanes) {
        typename D::Half value;
        std::memcpy(&value, binning.x + i, sizeof value);
        const typename D::Int found = __builtin_convertvector((__builtin_convertvector(value, typename D::Double) - rule.low) * rule.bins_per_unit, typename D::Int);
        const typename D::Int bin = value == value ? (found > last ? last : found) : nowhere;
        std::memcpy(binning.bins + i, &bin, sizeof bin);
    }
    for (; i < end; ++i)
        binning.bins[i] = std::isnan(binning.x[i]) ? rule.num_bins : std::min(static_cast<int32_t>((binning.x[i] - rule.low) * rule.bins_per_unit), rule.num_bins - 1);
}

CALIBENCH_LOOP(find_bins_loop, find_bins_of, Binning)

// ---- widen_range

struct RangeWidening {
    const float* x;
    float* low;
    float* high;
};

template <int N, typename T>
CALIBENCH_INLINE void widen_ranges(const RangeWidening& ranges, int64_t begin, int64_t end) {
    using L = Lanes<N>;
    for (int64_t i = begin; i < end; i += N) {
        const int64_t rest = end - i;
        const auto value = L::load(ranges.x + i, rest), low = L::load(ranges.low + i, rest), high = L::load(ranges.high + i, rest);
        L::store(ranges.low + i, value < low ? value : low, rest);
        L::store(ranges.high + i, value > high ? value : high, rest);
    }
}

CALIBENCH_LOOP(widen_range_loop, widen_ranges, RangeWidening)

}  // namespace

void widen(const float* values, int64_t count, float* out) { std::memcpy(out, values, size_t(count) * sizeof(float)); }
void widen(const uint16_t* bfloat16s, int64_t count, float* out) { widen_loop<uint16_t>({bfloat16s, out}, 0, count); }
void widen(const int8_t* values, int64_t count, float* out) { widen_loop<int8_t>({values, out}, 0, count); }

void restore(const RowScales& scales, const float* levels, int64_t column, int64_t count, float* out) {
    const Restoring restoring{scales, levels - column, out - column};
    scales.in_bfloat16 ? restore_loop<uint16_t>(restoring, column, column + count) : restore_loop<float>(restoring, column, column + count);
}

void take_from(const float* weight, int64_t count, float* out) { subtract_loop<float>({weight, out}, 0, count); }
void leave_out_not_finite(const float* weight, int64_t count, float* out) { mask_loop<float>({weight, out}, 0, count); }

void GroupSums::add(const GroupSums& other) {
    weight_energy += other.weight_energy;
    error_energy += other.error_energy;
    low = std::min(low, other.low);
    high = std::max(high, other.high);
    low_level = std::min(low_level, other.low_level);
    high_level = std::max(high_level, other.high_level);
    count += other.count;
}

void measure(const MeasuredPiece& piece, const RowScales& scales, const LevelBounds& bounds, GroupSums* groups, RowSums& row, const ColumnSums& columns) {
    measure_loop<float>({piece, scales, bounds, groups, row, columns}, 0, 0);
}

void find_bins(const BinRule& rule, const float* x, int64_t count, int32_t* bins) { find_bins_loop<float>({rule, x, bins}, 0, count); }

void widen_range(const float* x, int64_t count, float* low, float* high) { widen_range_loop<float>({x, low, high}, 0, count); }

}  // namespace calibench
