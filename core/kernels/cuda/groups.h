#pragma once

#include "core/kernels/group_min_max.h"
#include "core/kernels/group_search.h"

namespace calibench::cuda {

[[nodiscard]] std::pair<at::Tensor, at::Tensor> group_min_max(const at::Tensor& x);
[[nodiscard]] std::unique_ptr<GroupSearch> search_groups(const GroupSearchInputs& inputs);

}  // namespace calibench::cuda
