#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

#include "core/analysis/level_loops.h"
#include "core/analysis/quantized_weight.h"
#include "core/analysis/weight_inspection.h"

namespace calibench {

/// A weight and its quantized form, read piece by piece. W stays where it lies, in the file's mapping as a rule; Wq is made of its levels
/// on demand, and so are the levels of what is rounded to nearest.
class WeightRows {
public:
    WeightRows(const at::Tensor& weight, QuantizedWeight quantized);

    [[nodiscard]] int64_t rows() const { return weight_.size(0); }
    [[nodiscard]] int64_t columns() const { return weight_.size(1); }
    [[nodiscard]] Extent whole() const { return {0, 0, rows(), columns()}; }
    [[nodiscard]] const QuantizedWeight& quantized() const { return quantized_; }
    [[nodiscard]] bool is_quantized() const { return quantized_.args.has_value(); }

    /// Of the groups that a row lies in.
    [[nodiscard]] RowScales scales_of(int64_t row) const;

    // Pieces, at most most_piece_columns long, of one row.
    void read_weight(int64_t row, int64_t column, int64_t count, float* out) const;
    /// `weight`: the same piece of W, of which levels that are not kept are made.
    void read_levels(int64_t row, int64_t column, int64_t count, const float* weight, float* out) const;
    /// NaN where W is not finite.
    void read(WeightLayer layer, int64_t row, int64_t column, int64_t count, float* out) const;

private:
    [[nodiscard]] RowRounding rounding_of(int64_t row) const;

    at::Tensor weight_;  ///< float32, bfloat16 or float16, contiguous
    QuantizedWeight quantized_;
};

/// What of `part` lies within `whole`.
[[nodiscard]] Extent clipped(const Extent& part, const Extent& whole);

}  // namespace calibench
