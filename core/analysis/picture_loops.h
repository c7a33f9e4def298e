#pragma once

#include <cstdint>

namespace calibench {

// What histograms and maps of a weight are made of.

/// Bins of equal width from `low` on; the last one holds what lies beyond it.
struct BinRule {
    double low = 0, bins_per_unit = 0;
    int32_t num_bins = 1;
};
/// The bin of each value; num_bins for NaN.
void find_bins(const BinRule& rule, const float* x, int64_t count, int32_t* bins);

/// Rows and columns of a coarse map's cells: small enough that finer cells are few values each, and panning over them stays fluent.
constexpr int64_t coarse_cell = 4;
/// The value of largest magnitude, of equal ones the positive, of every coarse_cell columns of all these rows. No NaN.
void find_cells(const float* x, int64_t rows, int64_t stride, int64_t columns, float* cells);

/// high[i] = max(high[i], x[i]), low[i] = min(low[i], x[i]); NaN is left out.
void widen_range(const float* x, int64_t count, float* low, float* high);

}  // namespace calibench
