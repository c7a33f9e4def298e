#pragma once

#include <ATen/core/Tensor.h>

namespace calibench {

/// Whether no value is NaN or infinite: one pass over memory, which writes nothing.
[[nodiscard]] bool all_finite(const at::Tensor& values);

}  // namespace calibench
