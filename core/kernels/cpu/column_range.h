#pragma once

#include <utility>

#include <ATen/core/Tensor.h>

namespace calibench {

/// Smallest and largest value of each column of a matrix [rows, columns]: float32 [columns] each, NaN where a value is NaN. One pass
/// over memory on the CPU for float32 and bfloat16, amin and amax otherwise.
[[nodiscard]] std::pair<at::Tensor, at::Tensor> column_min_max(const at::Tensor& matrix);

}  // namespace calibench
