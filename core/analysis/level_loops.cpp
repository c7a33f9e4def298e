#include "core/analysis/level_loops.h"

#include <cstring>

#include "core/kernels/cpu/float8_lanes.h"
#include "core/kernels/cpu/loops.h"

namespace calibench {

namespace {

using lanes::Lanes;

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
    if constexpr (kind == LevelKind::Whole) return L::round(x);
    if constexpr (kind == LevelKind::E4m3) {
        return lanes::nearest_e4m3<N>(x);
    } else {  // multiples of 0.5 up to 2, of 1 up to 4, of 2 up to 6
        const Uint bits = reinterpret_cast<Uint>(x);
        const auto magnitude = reinterpret_cast<typename L::Float>(bits & 0x7fffffffu);
        const auto magic = L::broadcast(12582912.0f);  // adding it rounds to whole numbers, half of it to halves (Lanes::round)
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
    for (GroupRuns run(scales, begin, end); run.more(); run.advance()) {
        const auto scale = L::broadcast(rounding.scale[run.group]), zero_point = L::broadcast(rounding.zero_point ? rounding.zero_point[run.group] : 0.0f);
        for (int64_t column = run.begin; column < run.end; column += N) {
            auto x = L::template narrow<T>(L::load(leveling.weight + column, run.end - column) / scale);
            if (rounding.zero_point) x = L::template narrow<T>(x + zero_point);
            L::store(leveling.levels + column, nearest_level<N, kind>(L::clamp(x, low, high)), run.end - column);
        }
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
    for (GroupRuns run(scales, begin, end); run.more(); run.advance()) {
        const auto scale = L::broadcast(scales.scale[run.group]), zero_point = L::broadcast(scales.zero_point ? scales.zero_point[run.group] : 0.0f);
        for (int64_t column = run.begin; column < run.end; column += N) {
            const auto level = L::load(restoring.levels + column, run.end - column);
            L::store(restoring.out + column, L::template narrow<T>((level - zero_point) * scale), run.end - column);
        }
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

}  // namespace calibench
