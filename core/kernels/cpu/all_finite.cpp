#include "core/kernels/cpu/all_finite.h"

#include <algorithm>
#include <atomic>

#include <ATen/ATen.h>

#include "core/kernels/cpu/loops.h"
#include "core/kernels/cpu/parallel.h"

namespace calibench {

namespace {

using lanes::Lanes;

constexpr int64_t values_per_task = 1 << 16;

struct FiniteLoop {
    const void* values;
    std::atomic<bool>* finite;
};

template <int N, typename T>
CALIBENCH_INLINE void check_values(const FiniteLoop& loop, int64_t begin, int64_t end) {
    using L = Lanes<N>;
    typename L::Float check = {};
    for (int64_t i = begin; i < end; i += N) check += L::load(static_cast<const T*>(loop.values) + i, end - i) * 0.0f;
    if (L::sum(check) != 0) *loop.finite = false;  // NaN, where one was or where infinity times zero made one
}

CALIBENCH_LOOP(check_loop, check_values, FiniteLoop)

}  // namespace

bool all_finite(const at::Tensor& values) {
    const at::ScalarType dtype = values.scalar_type();
    if (!values.device().is_cpu() || (dtype != at::kFloat && dtype != at::kBFloat16)) {
        const at::Tensor comparable = values.element_size() == 1 ? values.to(at::kFloat) : values;  // LibTorch cannot ask an fp8
        return at::isfinite(comparable).all().item<bool>();
    }
    const at::Tensor from = values.contiguous();
    std::atomic<bool> finite{true};
    const FiniteLoop loop{from.const_data_ptr(), &finite};
    parallel_for(from.numel(), values_per_task, [&](int64_t begin, int64_t end) {
        dtype == at::kFloat ? check_loop<float>(loop, begin, end) : check_loop<uint16_t>(loop, begin, end);
    });
    return finite;
}

}  // namespace calibench
