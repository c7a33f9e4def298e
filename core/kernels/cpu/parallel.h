#pragma once

#include <cstdint>
#include <functional>

namespace calibench {

/// Calls body(begin, end) for parts of [0, count) on LibTorch's intra-op threads, at least `grain` items each. Use this and not
/// at::parallel_for: that one is inline and runs on one thread wherever it is not compiled with OpenMP.
void parallel_for(int64_t count, int64_t grain, const std::function<void(int64_t begin, int64_t end)>& body);

}  // namespace calibench
