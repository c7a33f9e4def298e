#pragma once

#include <cstdint>
#include <functional>

namespace calibench {

/// Calls body(begin, end) for parts of [0, count), at least `grain` items each, on as many threads as LibTorch has. Which parts there are
/// and who takes them is not the same every time: results must not depend on it. What the first body to fail throws is thrown again.
///
/// The threads are this library's own and take the next part when they are free. Those of OpenMP, which at::parallel_for uses, are each
/// given one part and all waited for: where another process holds one of the processors, every loop lasts until the system lets go of it.
/// Inside of a body, and while another thread has the others, all parts run on the thread that asks.
void parallel_for(int64_t count, int64_t grain, const std::function<void(int64_t begin, int64_t end)>& body);

}  // namespace calibench
