#include "core/kernels/cpu/parallel.h"

#include <ATen/Parallel.h>

namespace calibench {

void parallel_for(int64_t count, int64_t grain, const std::function<void(int64_t begin, int64_t end)>& body) {
    at::parallel_for(0, count, grain, body);
}

}  // namespace calibench
