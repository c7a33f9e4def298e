#pragma once

#include <vector>

#include <ATen/core/Tensor.h>

namespace calibench {

/// A weight cut into groups that share a scale, and the way back (auto_round: reshape_pad_tensor_by_group_size). Ragged rows are
/// padded with zeros.
class WeightGroups {
public:
    /// group_size columns per group; -1, or wider than the row: a row; 0: the whole tensor. block_rows above 0: tiles.
    WeightGroups(const at::Tensor& weight, int64_t group_size, int64_t block_rows = 0);

    /// [groups, group], or [row tiles, column tiles, block_rows, group_size].
    [[nodiscard]] const at::Tensor& values() const { return values_; }
    /// [columns] in values()' shape, 1e-5 in the padding (auto_round: reshape_imatrix_for_weight); undefined stays so. Not for tiles.
    [[nodiscard]] at::Tensor spread(const at::Tensor& columns) const;
    /// A tensor of values()' shape in the weight's shape, padding cut off.
    [[nodiscard]] at::Tensor restore(const at::Tensor& grouped) const;

private:
    at::Tensor values_;
    std::vector<int64_t> shape_;
    bool tiled_ = false;
};

}  // namespace calibench
