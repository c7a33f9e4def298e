#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

namespace calibench {

// The inner loops of a weight's inspection, compiled once per instruction set. A piece is some consecutive values of one row; buffers
// begin with its first one.

/// Longest piece: what a piece takes stays in the first-level cache.
constexpr int64_t most_piece_columns = 1024;

/// Scale and zero point of one row's groups.
struct RowScales {
    const float* scale = nullptr;
    const float* zero_point = nullptr;      ///< null: none
    const int64_t* column_group = nullptr;  ///< the group of each column; null: group_columns after group_columns
    int64_t group_columns = 1;
    bool in_bfloat16 = false;               ///< products are rounded to it

    [[nodiscard]] int64_t group_of(int64_t column) const { return column_group ? column_group[column] : column / group_columns; }
    /// The end of the stretch of columns that share the group of `column`, `limit` at most.
    [[nodiscard]] int64_t end_of_run(int64_t column, int64_t limit) const {
        if (!column_group) {
            const int64_t end = (column / group_columns + 1) * group_columns;
            return end < limit ? end : limit;
        }
        const int64_t group = column_group[column++];
        while (column < limit && column_group[column] == group) ++column;
        return column;
    }
};

/// What a level is: a whole number, or a value of float8 (e4m3) or float4 (e2m1).
enum class LevelKind { Whole, E4m3, E2m1 };

/// How the levels of one row are found: what its groups were rounded with, and to what.
struct RowRounding {
    const float* scale = nullptr;
    const float* zero_point = nullptr;  ///< null: none
    LevelKind kind = LevelKind::Whole;
    float low = 0, high = 0;            ///< the lowest and the highest level
    bool in_bfloat16 = false;           ///< quotients and what the zero point makes of them are rounded to it
};

void widen(const float* values, int64_t count, float* out);
void widen(const uint16_t* bfloat16s, int64_t count, float* out);
void widen(const int8_t* values, int64_t count, float* out);

/// The level next to each weight, as quantize() does it (core/quantization/fake_quantize.h); `scales` tells the groups.
void round_to_levels(const RowScales& scales, const RowRounding& rounding, const float* weight, int64_t column, int64_t count, float* levels);

/// out = (level - zero_point) * scale for the columns from `column` on.
void restore(const RowScales& scales, const float* levels, int64_t column, int64_t count, float* out);

/// out = weight - out.
void take_from(const float* weight, int64_t count, float* out);
/// out = NaN where the weight is not finite.
void leave_out_not_finite(const float* weight, int64_t count, float* out);

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
