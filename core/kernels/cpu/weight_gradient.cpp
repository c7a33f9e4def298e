#include "core/kernels/weight_gradient.h"

#include <algorithm>

#include <ATen/ATen.h>

#include "core/kernels/cpu/bf16_operands.h"
#include "core/kernels/recycled.h"

namespace calibench {

#if defined(CALIBENCH_BF16_PRODUCTS)
namespace {

using namespace cpu::bf16;

at::Tensor weight_gradient(const at::Tensor& grad_y, const at::Tensor& x) {
    const int64_t tokens = x.size(0), chunk = chunk_of(tokens);
    const bool transposes_x = x.size(1) < grad_y.size(1);
    const at::Tensor &left = transposes_x ? x : grad_y, &right = transposes_x ? grad_y : x;
    const TransposedStates left_states(tokens, left.size(1), x.options());
    const Packed right_states(tokens, right.size(1), x.options());
    share_out((tokens + chunk - 1) / chunk, [&](int64_t i) {
        const int64_t token = i * chunk, rows = std::min(chunk, tokens - token);
        left_states.put(elements(left) + token * left.size(1), left.size(1), rows, left.size(1), token, 0);
        right_states.put(elements(right) + token * right.size(1), right.size(1), rows, right.size(1), token, 0);
    });
    at::Tensor result = recycled({grad_y.size(1), x.size(1)}, x.options());
    weight_gradients({{left_states, right_states, result, transposes_x}}, tokens);
    return result;
}

}  // namespace
#endif

WeightGradientKernel weight_gradient_kernel(const at::Tensor& grad_y, const at::Tensor& x) {
#if defined(CALIBENCH_BF16_PRODUCTS)
    if (are_usable({grad_y, x}) && x.dim() == 2 && grad_y.dim() == 2 && x.size(0) == grad_y.size(0)) return weight_gradient;
#endif
    return nullptr;
}

}  // namespace calibench
