#pragma once

#include <ATen/core/Tensor.h>

namespace calibench {

/// x weight^T in float32, whatever the dtype of x [tokens, in] and weight [out, in]: no product is rounded to it.
[[nodiscard]] at::Tensor wide_linear(const at::Tensor& x, const at::Tensor& weight);

}  // namespace calibench
