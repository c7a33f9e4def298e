#include "core/analysis/picture_loops.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/analysis/double_lanes.h"
#include "core/kernels/cpu/loops.h"

namespace calibench {

namespace {

using lanes::Doubles;
using lanes::Lanes;

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

void find_cells(const float* x, int64_t rows, int64_t stride, int64_t columns, float* cells) { find_cells_loop<float>({x, rows, stride, cells}, 0, columns); }

void find_bins(const BinRule& rule, const float* x, int64_t count, int32_t* bins) { find_bins_loop<float>({rule, x, bins}, 0, count); }

void widen_range(const float* x, int64_t count, float* low, float* high) { widen_range_loop<float>({x, low, high}, 0, count); }

}  // namespace calibench
