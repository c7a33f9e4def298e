#include "core/kernels/cpu/activation_tally.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "core/kernels/cpu/loops.h"

namespace calibench {

namespace {

using lanes::Lanes;

template <int N>
CALIBENCH_INLINE typename Lanes<N>::Float magnitude(typename Lanes<N>::Float x) {
    return reinterpret_cast<typename Lanes<N>::Float>(reinterpret_cast<typename Lanes<N>::Uint>(x) & 0x7fffffffu);
}

template <int N>
CALIBENCH_INLINE typename Lanes<N>::Float larger(typename Lanes<N>::Float a, typename Lanes<N>::Float b) {
    return b > a ? b : a;
}

CALIBENCH_INLINE float value_of(float value) { return value; }
CALIBENCH_INLINE float value_of(uint16_t upper_half) {
    const uint32_t bits = static_cast<uint32_t>(upper_half) << 16;
    float value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
}

struct Matrix {
    const void* values;
    int64_t columns;
    ColumnTally* tally;
};

/// `Rows` rows at once, so that the columns' sums are loaded and stored that much less often.
template <int N, int Rows, typename T>
CALIBENCH_INLINE void tally_some_rows(const T* row, int64_t columns, ColumnTally& tally, typename Lanes<N>::Float& least, typename Lanes<N>::Float& most) {
    using L = Lanes<N>;
    int64_t column = 0;
    for (; column + N <= columns; column += N) {
        auto largest = L::load(tally.largest + column), energy = L::load(tally.energy + column);
        for (int i = 0; i < Rows; ++i) {
            const auto x = L::load(row + i * columns + column);
            least = -larger<N>(-least, -x);
            most = larger<N>(most, x);
            largest = larger<N>(largest, magnitude<N>(x));
            energy += x * x;
        }
        L::store(tally.largest + column, largest);
        L::store(tally.energy + column, energy);
    }
    for (; column < columns; ++column) {
        for (int i = 0; i < Rows; ++i) {
            const float x = value_of(row[i * columns + column]);
            tally.min = std::min(tally.min, x);
            tally.max = std::max(tally.max, x);
            tally.largest[column] = std::max(tally.largest[column], std::abs(x));
            tally.energy[column] += x * x;
        }
    }
}

template <int N, typename T>
CALIBENCH_INLINE void tally_rows(const Matrix& matrix, int64_t begin, int64_t end) {
    using L = Lanes<N>;
    ColumnTally& tally = *matrix.tally;
    auto least = L::broadcast(tally.min), most = L::broadcast(tally.max);
    const T* row = static_cast<const T*>(matrix.values) + begin * matrix.columns;
    int64_t rows = end - begin;
    for (; rows >= 4; rows -= 4, row += 4 * matrix.columns) tally_some_rows<N, 4>(row, matrix.columns, tally, least, most);
    for (; rows > 0; --rows, row += matrix.columns) tally_some_rows<N, 1>(row, matrix.columns, tally, least, most);
    for (int lane = 0; lane < N; ++lane) {
        tally.min = std::min(tally.min, least[lane]);
        tally.max = std::max(tally.max, most[lane]);
    }
}

CALIBENCH_LOOP(tally_loop, tally_rows, Matrix)

struct Values {
    const void* values;
    float per_width;
    uint32_t* counts;  ///< two tables, so that neighbours of one bin need not wait for each other
};

template <int N, typename T>
CALIBENCH_INLINE void count_some(const Values& all, int64_t begin, int64_t end) {
    using L = Lanes<N>;
    constexpr float half = tally_bins / 2;
    constexpr float magic = 12582912.0f;  // 1.5 * 2^23: its last place is one
    constexpr uint32_t magic_bits = 0x4b400000;
    const T* values = static_cast<const T*>(all.values);
    for (int64_t i = begin; i < end; i += N) {
        const auto t = L::clamp(L::load(values + i, end - i) * all.per_width, L::broadcast(-half), L::broadcast(half - 1));
        const auto nearest = L::round(t);
        const auto floor = nearest > t ? nearest - 1.0f : nearest;
        const auto bins = (reinterpret_cast<typename L::Uint>(floor + (magic + half)) - magic_bits) & (tally_bins - 1);  // NaN: any bin
        const int count = static_cast<int>(std::min<int64_t>(N, end - i));
        for (int lane = 0; lane < count; ++lane) ++all.counts[(lane & 1) * tally_bins + bins[lane]];
    }
}

CALIBENCH_LOOP(count_loop, count_some, Values)

struct Tails {
    const void* values;
    float low, high, per_width;
    int64_t* counts;
};

template <int N>
CALIBENCH_INLINE bool any_lane(typename Lanes<N>::Uint mask) {
    uint64_t words[N / 2], any = 0;
    std::memcpy(words, &mask, sizeof words);
    for (const uint64_t word : words) any |= word;
    return any != 0;
}

CALIBENCH_INLINE void count_one_outside(const Tails& tails, float x) {
    if (!(x < tails.low || x >= tails.high)) return;
    const float t = std::clamp(x * tails.per_width, -static_cast<float>(tally_bins / 2), static_cast<float>(tally_bins / 2 - 1));
    const int towards_zero = static_cast<int>(t);
    ++tails.counts[towards_zero - (t < static_cast<float>(towards_zero) ? 1 : 0) + tally_bins / 2];
}

template <int N, typename T>
CALIBENCH_INLINE void count_some_outside(const Tails& tails, int64_t begin, int64_t end) {
    using L = Lanes<N>;
    constexpr int together = 4;
    const T* values = static_cast<const T*>(tails.values);
    const auto low = L::broadcast(tails.low), below_high = L::broadcast(std::nextafter(tails.high, tails.low));
    int64_t i = begin;
    for (; i + together * N <= end; i += together * N) {
        typename L::Uint outside[together], any = {};
        for (int part = 0; part < together; ++part) {
            const auto x = L::load(values + i + part * N);
            outside[part] = reinterpret_cast<typename L::Uint>(x) ^ reinterpret_cast<typename L::Uint>(L::clamp(x, low, below_high));
            any |= outside[part];
        }
        if (!any_lane<N>(any)) continue;
        for (int part = 0; part < together; ++part) {
            if (!any_lane<N>(outside[part])) continue;
            for (int lane = 0; lane < N; ++lane) count_one_outside(tails, value_of(values[i + part * N + lane]));
        }
    }
    for (; i < end; ++i) count_one_outside(tails, value_of(values[i]));
}

CALIBENCH_LOOP(outside_loop, count_some_outside, Tails)

struct Share {
    const float* values;
    float per_step;
    double weight;
    const CellLayout* layout;
    MomentCell* cells;
};

template <int N, typename T>
CALIBENCH_INLINE void add_share(const Share& share, int64_t begin, int64_t end) {
    using L = Lanes<N>;
    const CellLayout layout = *share.layout;
    const float magic = 12582912.0f;
    const uint32_t linear_base = 0x4b400000u + static_cast<uint32_t>(layout.linear_from) - static_cast<uint32_t>(layout.linear_cell);
    for (int64_t i = begin; i < end; i += N) {
        const auto x = L::load(share.values + i, end - i) * share.per_step;
        const auto t = magnitude<N>(x);
        const auto bits = reinterpret_cast<typename L::Uint>(t) >> layout.shift;
        const auto octave_cell = bits < layout.base ? bits * 0 : bits - layout.base + 1;
        const auto up = L::round(t);  // ties to even: an odd whole number and a half belongs to the cell above
        const auto whole = t - up == 0.5f ? up + 1.0f : up;
        const auto linear_cell = reinterpret_cast<typename L::Uint>(whole + magic) - linear_base;
        auto cell = t < layout.linear_from ? octave_cell : linear_cell;
        cell += (reinterpret_cast<typename L::Uint>(x) >> 31) * static_cast<uint32_t>(layout.sign_stride);
        const int count = static_cast<int>(std::min<int64_t>(N, end - i));
        for (int lane = 0; lane < count; ++lane) {
            MomentCell& sums = share.cells[std::min<uint32_t>(cell[lane], static_cast<uint32_t>(layout.num_cells - 1))];
            const double value = static_cast<double>(t[lane]), weighted = share.weight * value;
            sums.weight += share.weight;
            sums.first += weighted;
            sums.second += weighted * value;
        }
    }
}

CALIBENCH_LOOP(share_loop, add_share, Share)

}  // namespace

template <typename T>
void tally_columns(const T* values, int64_t rows, int64_t columns, ColumnTally& tally) {
    tally_loop<T>({values, columns, &tally}, 0, rows);
}

template <typename T>
void count_values(const T* values, int64_t count, float per_width, int64_t* counts) {
    constexpr int64_t at_a_time = int64_t{1} << 30;  // fits the tables' integers
    std::vector<uint32_t> tables(2 * tally_bins);
    for (int64_t begin = 0; begin < count; begin += at_a_time) {
        std::fill(tables.begin(), tables.end(), 0);
        count_loop<T>({values + begin, per_width, tables.data()}, 0, std::min(at_a_time, count - begin));
        for (size_t bin = 0; bin < tally_bins; ++bin) counts[bin] += tables[bin] + tables[bin + tally_bins];
    }
}

template <typename T>
void count_outside(const T* values, int64_t count, float low, float high, float per_width, int64_t* counts) {
    outside_loop<T>({values, low, high, per_width, counts}, 0, count);
}

void add_moments(const float* values, int64_t count, float per_step, double weight, const CellLayout& layout, MomentCell* cells) {
    share_loop<float>({values, per_step, weight, &layout, cells}, 0, count);
}

template void tally_columns(const float*, int64_t, int64_t, ColumnTally&);
template void tally_columns(const uint16_t*, int64_t, int64_t, ColumnTally&);
template void count_values(const float*, int64_t, float, int64_t*);
template void count_values(const uint16_t*, int64_t, float, int64_t*);
template void count_outside(const float*, int64_t, float, float, float, int64_t*);
template void count_outside(const uint16_t*, int64_t, float, float, float, int64_t*);

}  // namespace calibench
