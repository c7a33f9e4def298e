#pragma once

#include <ATen/core/Tensor.h>

namespace calibench {

struct SquaredError {
    double signal = 0;  ///< sum of exact^2
    double noise = 0;   ///< sum of (exact - approximate)^2
};

/// Differences and squares in float32, their sum in double, the same for any number of threads. Two tensors of one shape; one pass over
/// memory for those of one dtype, float32 or bfloat16, on the CPU.
[[nodiscard]] SquaredError squared_error(const at::Tensor& exact, const at::Tensor& approximate);

}  // namespace calibench
