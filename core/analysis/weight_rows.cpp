#include "core/analysis/weight_rows.h"

#include <algorithm>

#include <ATen/ATen.h>

namespace calibench {

WeightRows::WeightRows(const at::Tensor& weight, QuantizedWeight quantized) : quantized_(std::move(quantized)) {
    const at::ScalarType dtype = weight.scalar_type();
    const bool is_read_as_it_is = dtype == at::kFloat || dtype == at::kBFloat16 || dtype == at::kHalf;
    weight_ = (is_read_as_it_is ? weight : weight.to(at::kFloat)).contiguous();
}

RowScales WeightRows::scales_of(int64_t row) const {
    RowScales scales;
    if (!is_quantized()) return scales;
    const int64_t first = row / quantized_.group_rows * quantized_.scale.size(1);
    scales.scale = quantized_.scale.const_data_ptr<float>() + first;
    if (quantized_.zero_point.defined()) scales.zero_point = quantized_.zero_point.const_data_ptr<float>() + first;
    if (quantized_.column_group.defined()) scales.column_group = quantized_.column_group.const_data_ptr<int64_t>();
    scales.group_columns = quantized_.group_columns;
    scales.in_bfloat16 = quantized_.in_bfloat16;
    return scales;
}

void WeightRows::read_weight(int64_t row, int64_t column, int64_t count, float* out) const {
    const int64_t first = row * columns() + column;
    const void* values = weight_.const_data_ptr();
    switch (weight_.scalar_type()) {
        case at::kFloat: return widen(static_cast<const float*>(values) + first, count, out);
        case at::kBFloat16: return widen(static_cast<const uint16_t*>(values) + first, count, out);
        default: std::copy_n(static_cast<const at::Half*>(values) + first, count, out);
    }
}

RowRounding WeightRows::rounding_of(int64_t row) const {
    const QuantizedWeight::Rounding& by = *quantized_.rounding;
    const int64_t first = row / quantized_.group_rows * by.scale.size(1);
    const float* zero_point = by.zero_point.defined() ? by.zero_point.const_data_ptr<float>() + first : nullptr;
    return {by.scale.const_data_ptr<float>() + first, zero_point, by.kind, by.low, by.high, by.in_bfloat16};
}

void WeightRows::read_levels(int64_t row, int64_t column, int64_t count, const float* weight, float* out) const {
    if (quantized_.rounding) return round_to_levels(scales_of(row), rounding_of(row), weight, column, count, out);
    const int64_t first = row * columns() + column;
    const void* values = quantized_.levels.const_data_ptr();
    switch (quantized_.levels.scalar_type()) {
        case at::kChar: return widen(static_cast<const int8_t*>(values) + first, count, out);
        case at::kBFloat16: return widen(static_cast<const uint16_t*>(values) + first, count, out);
        default: return widen(static_cast<const float*>(values) + first, count, out);
    }
}

void WeightRows::read(WeightLayer layer, int64_t row, int64_t column, int64_t count, float* out) const {
    float weight[most_piece_columns];
    read_weight(row, column, count, weight);
    const bool has_wq = is_quantized() && layer != WeightLayer::Weight;
    const RowScales scales = scales_of(row);
    if (layer == WeightLayer::Scale) {
        for (int64_t i = 0; i < count; ++i) out[i] = scales.scale ? scales.scale[scales.group_of(column + i)] : 1.0f;
    } else if (has_wq) {
        read_levels(row, column, count, weight, out);
        restore(scales, out, column, count, out);
    } else {
        std::copy_n(weight, count, out);
    }
    if (layer == WeightLayer::Error) take_from(weight, count, out);
    leave_out_not_finite(weight, count, out);
}

Extent clipped(const Extent& part, const Extent& whole) {
    Extent clipped;
    clipped.row = std::clamp<int64_t>(part.row, 0, whole.rows);
    clipped.column = std::clamp<int64_t>(part.column, 0, whole.columns);
    clipped.rows = std::clamp<int64_t>(part.row + part.rows, clipped.row, whole.rows) - clipped.row;
    clipped.columns = std::clamp<int64_t>(part.column + part.columns, clipped.column, whole.columns) - clipped.column;
    return clipped;
}

}  // namespace calibench
