#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

#include "core/analysis/level_loops.h"

namespace calibench {

// What a weight's values and errors sum up to, over groups, rows and columns.

/// What is summed up over a group. Smallest and largest leave NaN out.
struct GroupSums {
    double weight_energy = 0, error_energy = 0;  ///< sums of squares
    float low = std::numeric_limits<float>::infinity(), high = -low;  ///< of W
    float low_level = low, high_level = high;
    int64_t count = 0;  ///< finite values
    void add(const GroupSums& other) {
        weight_energy += other.weight_energy;
        error_energy += other.error_energy;
        low = std::min(low, other.low);
        high = std::max(high, other.high);
        low_level = std::min(low_level, other.low_level);
        high_level = std::max(high_level, other.high_level);
        count += other.count;
    }
};

/// What is summed up over a row.
struct RowSums {
    double weight_energy = 0, error_energy = 0;
    float low = std::numeric_limits<float>::infinity(), high = -low;  ///< of W
    float low_quantized = low, high_quantized = high;
    float low_level = low, high_level = high;
    float low_error = low, high_error = high;
    int64_t num_outside = 0;    ///< clipped values
    int64_t num_not_finite = 0;
    [[nodiscard]] float max_abs_error() const { return high_error < -low_error ? -low_error : high_error > 0 ? high_error : 0; }
};

/// What is summed up over columns, one element for each.
struct ColumnSums {
    double* weight_energy;
    double* error_energy;
    float* max_abs_error;
    [[nodiscard]] ColumnSums from(int64_t column) const { return {weight_energy + column, error_energy + column, max_abs_error + column}; }
};

/// The levels beyond which a value counts as clipped.
struct LevelBounds {
    float low, high;
};

/// One piece of W with its levels and its Wq. Where W is not finite, all three are changed: W to 0, the others to NaN.
struct MeasuredPiece {
    float* weight;
    float* levels;     ///< null: left as it is, there are no groups
    float* quantized;
    float* error;      ///< to be filled in
    int64_t column, count;
};

/// Takes a piece into the sums of its row, and of its row's groups.
void measure(const MeasuredPiece& piece, const RowScales& scales, const LevelBounds& bounds, GroupSums* groups, RowSums& row);

/// The same columns of some rows: W and W - Wq of the first row, of the next ones at `stride`.
struct MeasuredRows {
    const float* weight;
    const float* error;
    int64_t rows, stride, columns;
};
void add_to_columns(const MeasuredRows& rows, const ColumnSums& columns);

}  // namespace calibench
