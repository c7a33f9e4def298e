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
    typedef double Pair __attribute__((vector_size(32)));
};
template <>
struct DoubleTypes<8> {
    typedef int32_t Int __attribute__((vector_size(16)));
    typedef float Half __attribute__((vector_size(16)));
    typedef double Double __attribute__((vector_size(32)));
    typedef double Pair __attribute__((vector_size(64)));
};
template <>
struct DoubleTypes<16> {
    typedef int32_t Int __attribute__((vector_size(32)));
    typedef float Half __attribute__((vector_size(32)));
    typedef double Double __attribute__((vector_size(64)));
    typedef double Pair __attribute__((vector_size(128)));
};

template <int N>
struct Doubles {
    using Half = typename DoubleTypes<N>::Half;
    using Double = typename DoubleTypes<N>::Double;
    using Int = typename DoubleTypes<N>::Int;
    static constexpr int lanes = N / 2;

    /// A whole register at once: GCC converts half a one in two steps.
    struct Two {
        Double first, second;
    };
    static CALIBENCH_INLINE Two load(const float* from) {
        const auto pair = __builtin_convertvector(Lanes<N>::load(from), typename DoubleTypes<N>::Pair);
        Two two;
        std::memcpy(&two.first, &pair, sizeof two.first);
        std::memcpy(&two.second, reinterpret_cast<const char*>(&pair) + sizeof two.first, sizeof two.second);
        return two;
    }
    static CALIBENCH_INLINE double sum(Double x) {
        if constexpr (lanes > 2) {
            typename DoubleTypes<N / 2>::Double low, high;
            std::memcpy(&low, &x, sizeof low);
            std::memcpy(&high, reinterpret_cast<const char*>(&x) + sizeof low, sizeof high);
            return Doubles<N / 2>::sum(low + high);
        } else {
            return x[0] + x[1];
        }
    }
};

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

// ---- round_to_levels

struct Leveling {
    const RowScales& scales;
    const RowRounding& rounding;
    const float* weight;  ///< of column 0, as `levels`
    float* levels;
};

template <int N, LevelKind kind>
CALIBENCH_INLINE typename Lanes<N>::Float nearest_level(typename Lanes<N>::Float x) {
    using L = Lanes<N>;
    using Uint = typename L::Uint;
    const auto magic = L::broadcast(12582912.0f);  // adding it rounds to whole numbers, half of it to halves (Lanes::round)
    if constexpr (kind == LevelKind::Whole) return L::round(x);
    const Uint bits = reinterpret_cast<Uint>(x);
    const auto magnitude = reinterpret_cast<typename L::Float>(bits & 0x7fffffffu);
    if constexpr (kind == LevelKind::E4m3) {  // three bits of mantissa; multiples of 2^-9 below 2^-6
        const auto rounded = reinterpret_cast<typename L::Float>((bits + 0x7ffffu + ((bits >> 20) & 1u)) & 0xfff00000u);
        const auto small = magic * 0x1p-9f;
        return magnitude < L::broadcast(0x1p-6f) ? (x + small) - small : rounded;
    } else {  // multiples of 0.5 up to 2, of 1 up to 4, of 2 up to 6
        const auto step = magnitude < L::broadcast(2) ? magic * 0.5f : magnitude < L::broadcast(4) ? magic : magic * 2.0f;
        return reinterpret_cast<typename L::Float>(reinterpret_cast<Uint>((magnitude + step) - step) | (bits & 0x80000000u));
    }
}

/// T: what intermediate results are rounded to.
template <int N, typename T, LevelKind kind>
CALIBENCH_INLINE void level_runs(const Leveling& leveling, int64_t begin, int64_t end) {
    using L = Lanes<N>;
    const RowScales& scales = leveling.scales;
    const RowRounding& rounding = leveling.rounding;
    const auto low = L::broadcast(rounding.low), high = L::broadcast(rounding.high);
    for (int64_t column = begin; column < end;) {
        const int64_t group = scales.group_of(column), run_end = scales.end_of_run(column, end);
        const auto scale = L::broadcast(rounding.scale[group]), zero_point = L::broadcast(rounding.zero_point ? rounding.zero_point[group] : 0.0f);
        for (; column < run_end; column += N) {
            auto x = L::template narrow<T>(L::load(leveling.weight + column, run_end - column) / scale);
            if (rounding.zero_point) x = L::template narrow<T>(x + zero_point);
            L::store(leveling.levels + column, nearest_level<N, kind>(L::clamp(x, low, high)), run_end - column);
        }
        column = run_end;
    }
}

template <int N, typename T>
CALIBENCH_INLINE void level_columns(const Leveling& leveling, int64_t begin, int64_t end) {
    switch (leveling.rounding.kind) {
        case LevelKind::Whole: return level_runs<N, T, LevelKind::Whole>(leveling, begin, end);
        case LevelKind::E4m3: return level_runs<N, T, LevelKind::E4m3>(leveling, begin, end);
        case LevelKind::E2m1: return level_runs<N, T, LevelKind::E2m1>(leveling, begin, end);
    }
}

CALIBENCH_LOOP(level_loop, level_columns, Leveling)

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
    const int64_t end = piece.column + piece.count;
    for (int64_t column = piece.column; column < end;) {
        const int64_t group = scales.group_of(column), run_end = scales.end_of_run(column, end);
        const int64_t at = column - piece.column, count = run_end - column;
        const GroupSums sums = all_finite ? sum_run<N>(piece.weight + at, piece.error + at, piece.levels + at, count) : sum_finite<N>(piece, at, count);
        measuring.groups[group].add(sums);
        measuring.row.low = std::min(measuring.row.low, sums.low);
        measuring.row.high = std::max(measuring.row.high, sums.high);
        measuring.row.weight_energy += sums.weight_energy;
        measuring.row.error_energy += sums.error_energy;
        measuring.row.low_level = std::min(measuring.row.low_level, sums.low_level);
        measuring.row.high_level = std::max(measuring.row.high_level, sums.high_level);

        const float scale = scales.scale[group], zero_point = scales.zero_point ? scales.zero_point[group] : 0;
        const float one_end = (measuring.bounds.low - zero_point) * scale * scale_tolerance;
        const float other_end = (measuring.bounds.high - zero_point) * scale * scale_tolerance;
        const float low = std::min(one_end, other_end), high = std::max(one_end, other_end);
        if (sums.low < low || sums.high > high) measuring.row.num_outside += count_outside<N>(piece.weight + at, count, low, high);
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

// ---- find_cells

struct CellSearch {
    const float* x;
    int64_t rows, stride;
    float* cells;
};

/// The one of larger magnitude of the smallest and the largest of `width` columns.
CALIBENCH_INLINE float largest_of_cell(const float* lows, const float* highs, int64_t width) {
    float least = lows[0], most = highs[0];
    for (int64_t i = 1; i < width; ++i) {
        least = lows[i] < least ? lows[i] : least;
        most = highs[i] > most ? highs[i] : most;
    }
    return most >= -least ? most : least;
}

template <int N, typename T>
CALIBENCH_INLINE void find_cells_of(const CellSearch& search, int64_t begin, int64_t end) {
    using L = Lanes<N>;
    for (int64_t i = begin; i < end; i += N) {
        const int64_t count = std::min<int64_t>(N, end - i);
        auto low = L::load(search.x + i, count), high = low;
        for (int64_t row = 1; row < search.rows; ++row) {
            const auto value = L::load(search.x + row * search.stride + i, count);
            low = value < low ? value : low;
            high = value > high ? value : high;
        }
        float lows[N], highs[N];
        L::store(lows, low);
        L::store(highs, high);
        float* cells = search.cells + i / coarse_cell;
        int64_t at = 0;
        for (; at + coarse_cell <= count; at += coarse_cell) *cells++ = largest_of_cell(lows + at, highs + at, coarse_cell);
        if (at < count) *cells = largest_of_cell(lows + at, highs + at, count - at);
    }
}

CALIBENCH_LOOP(find_cells_loop, find_cells_of, CellSearch)

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

void round_to_levels(const RowScales& scales, const RowRounding& rounding, const float* weight, int64_t column, int64_t count, float* levels) {
    const Leveling leveling{scales, rounding, weight - column, levels - column};
    rounding.in_bfloat16 ? level_loop<uint16_t>(leveling, column, column + count) : level_loop<float>(leveling, column, column + count);
}

void restore(const RowScales& scales, const float* levels, int64_t column, int64_t count, float* out) {
    const Restoring restoring{scales, levels - column, out - column};
    scales.in_bfloat16 ? restore_loop<uint16_t>(restoring, column, column + count) : restore_loop<float>(restoring, column, column + count);
}

void take_from(const float* weight, int64_t count, float* out) { subtract_loop<float>({weight, out}, 0, count); }
void leave_out_not_finite(const float* weight, int64_t count, float* out) { mask_loop<float>({weight, out}, 0, count); }

void measure(const MeasuredPiece& piece, const RowScales& scales, const LevelBounds& bounds, GroupSums* groups, RowSums& row) {
    measure_loop<float>({piece, scales, bounds, groups, row}, 0, 0);
}

void add_to_columns(const MeasuredRows& rows, const ColumnSums& columns) { add_rows_loop<float>({rows, columns}, 0, 0); }

void find_cells(const float* x, int64_t rows, int64_t stride, int64_t columns, float* cells) { find_cells_loop<float>({x, rows, stride, cells}, 0, columns); }

void find_bins(const BinRule& rule, const float* x, int64_t count, int32_t* bins) { find_bins_loop<float>({rule, x, bins}, 0, count); }

void widen_range(const float* x, int64_t count, float* low, float* high) { widen_range_loop<float>({x, low, high}, 0, count); }

}  // namespace calibench
