#include "core/autoround/weight_groups.h"

#include <ATen/ATen.h>

namespace calibench {

namespace {

int64_t padding(int64_t length, int64_t multiple) { return (multiple - length % multiple) % multiple; }

}  // namespace

WeightGroups::WeightGroups(const at::Tensor& weight, int64_t group_size, int64_t block_rows)
    : shape_(weight.sizes().vec()), tiled_(block_rows > 0) {
    const int64_t columns = weight.size(-1);
    if (tiled_) {
        const at::Tensor padded =
            at::constant_pad_nd(weight, {0, padding(columns, group_size), 0, padding(weight.size(0), block_rows)});
        values_ = padded.view({-1, block_rows, padded.size(1) / group_size, group_size}).permute({0, 2, 1, 3});
    } else if (group_size == 0) {
        values_ = weight.reshape({1, -1});
    } else if (group_size < 0 || columns < group_size) {
        values_ = weight.reshape({-1, columns});
    } else if (const int64_t pad = padding(columns, group_size)) {
        values_ = at::constant_pad_nd(weight, {0, pad}).reshape({-1, group_size});
    } else {
        values_ = weight.reshape({-1, group_size});
    }
}

at::Tensor WeightGroups::spread(const at::Tensor& columns) const {
    if (!columns.defined()) return {};
    const int64_t rows = shape_[0], width = values_.numel() / rows;
    const at::Tensor row = at::constant_pad_nd(columns.to(at::kFloat), {0, width - columns.numel()}, 1e-5);
    return row.expand({rows, width}).reshape(values_.sizes());
}

at::Tensor WeightGroups::restore(const at::Tensor& grouped) const {
    if (tiled_) {
        const at::Tensor whole = grouped.permute({0, 2, 1, 3}).reshape(
            {grouped.size(0) * grouped.size(2), grouped.size(1) * grouped.size(3)});
        return whole.slice(0, 0, shape_[0]).slice(1, 0, shape_[1]);
    }
    int64_t numel = 1;
    for (const int64_t length : shape_) numel *= length;
    if (grouped.numel() == numel) return grouped.reshape(shape_);
    return grouped.reshape({numel / shape_.back(), -1}).slice(1, 0, shape_.back()).reshape(shape_);
}

}  // namespace calibench
