#pragma once

#include <functional>

#include <ATen/core/Tensor.h>

namespace calibench {

/// Is shown what a projection takes in, and gives what it multiplies with instead: the same, or rounded. Null: nobody looks.
using ProjectionInput = std::function<at::Tensor(const at::Tensor& input)>;

[[nodiscard]] inline at::Tensor tapped(const at::Tensor& input, const ProjectionInput& tap) { return tap ? tap(input).contiguous() : input; }

}  // namespace calibench
