#pragma once

#include <utility>

#include <ATen/core/Tensor.h>

namespace calibench {

/// Smallest and largest value of each qparam of a flattened observation (num_observations, *qparam_shape, group_size): one pass
/// over memory on the CPU for float32 and bfloat16, amin and amax otherwise. NaN where a value is NaN. Result: (min, max) of
/// qparam_shape in x's dtype.
[[nodiscard]] std::pair<at::Tensor, at::Tensor> group_min_max(const at::Tensor& x);

}  // namespace calibench
