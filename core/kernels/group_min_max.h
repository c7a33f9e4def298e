#pragma once

#include <utility>

#include <ATen/core/Tensor.h>

namespace calibench {

/// Smallest and largest value of each qparam of a flattened observation (num_observations, *qparam_shape, group_size): one pass
/// over memory where there is a kernel for its device and dtype, amin and amax otherwise. NaN where a value is NaN. Result: (min, max)
/// of qparam_shape in x's dtype, on its device.
[[nodiscard]] std::pair<at::Tensor, at::Tensor> group_min_max(const at::Tensor& x);

/// The same of a contiguous, non-empty float32 or bfloat16 x.
using GroupMinMaxKernel = std::pair<at::Tensor, at::Tensor> (*)(const at::Tensor& x);

}  // namespace calibench
