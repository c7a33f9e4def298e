#pragma once

#include <cstdint>

namespace calibench {

// What a run remembers of its activations is gathered here, in few passes over rows that are still in the cache. T: float, or
// uint16_t for the bits of a bfloat16.

/// What is found of a matrix, column by column.
struct ColumnTally {
    float* largest;  ///< [columns] max |x|; raised
    float* energy;   ///< [columns] sum x^2; added to
    float min, max;  ///< of all values; widened. NaN are passed over
};
template <typename T>
void tally_columns(const T* values, int64_t rows, int64_t columns, ColumnTally& tally);

/// Counts in bins of equal width: bin floor(x * per_width) + num_bins / 2, the outermost ones for what lies beyond.
constexpr int tally_bins = 4096;
template <typename T>
void count_values(const T* values, int64_t count, float per_width, int64_t* counts);

/// The same of values below `low` and from `high` on, which should be few.
template <typename T>
void count_outside(const T* values, int64_t count, float low, float high, float per_width, int64_t* counts);

/// Cells over |t|: from the power of two of `base` on, `1 << (23 - shift)` to each doubling; from `linear_from` on one to each rounding
/// cell of a whole number. Cell 0 holds what is smaller. With a `sign_stride` the cells of negative values lie that much further on.
struct CellLayout {
    int shift;
    uint32_t base;       ///< upper bits of the least t that is not in cell 0
    float linear_from;   ///< a power of two
    int linear_cell;     ///< the cell at linear_from
    int sign_stride;
    int num_cells;
};

/// Sums over the values of a cell; as wide as a register.
struct alignas(32) MomentCell {
    double weight, first, second;  ///< w, w t, w t^2
    double unused;
};
/// t = x * per_step, every value with the same weight.
void add_moments(const float* values, int64_t count, float per_step, double weight, const CellLayout& layout, MomentCell* cells);

}  // namespace calibench
