#pragma once

#include <algorithm>
#include <cstdint>

namespace calibench {

// The inner loops of a weight's inspection (here, sum_loops.h, picture_loops.h) are compiled once per instruction set. A piece is some
// consecutive values of one row; buffers begin with its first one. These go from values to levels and back.

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
        if (!column_group) return std::min((column / group_columns + 1) * group_columns, limit);
        const int64_t group = column_group[column++];
        while (column < limit && column_group[column] == group) ++column;
        return column;
    }
};

/// One stretch after the other of the columns [begin, limit) that share a group. Of groups of a few columns there are millions: which
/// one is next is counted, not divided.
struct GroupRuns {
    const RowScales& scales;
    const int64_t limit;
    int64_t group = 0, begin, end = 0;

    GroupRuns(const RowScales& row, int64_t first, int64_t last) : scales(row), limit(last), begin(first) { look(); }
    [[nodiscard]] bool more() const { return begin < limit; }
    void advance() {
        begin = end;
        if (scales.column_group) return look();
        ++group;
        end = std::min(end + scales.group_columns, limit);
    }

private:
    void look() {
        if (!more()) return;
        group = scales.group_of(begin);
        end = scales.end_of_run(begin, limit);
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

}  // namespace calibench
