#include "core/kernels/wide_linear.h"

#include <algorithm>

#include <ATen/ATen.h>

#include "core/kernels/cpu/bf16_operands.h"

namespace calibench {

#if defined(CALIBENCH_BF16_PRODUCTS)
namespace {

using namespace cpu::bf16;

/// The weight as left operand: it is read once, as it lies, and only the fewer tokens are packed.
at::Tensor from_bfloat16(const at::Tensor& x, const at::Tensor& weight) {
    const int64_t tokens = x.size(0), features = x.size(1), outputs = weight.size(0), rows_at_a_time = 64;
    const int64_t columns = (tokens + 31) / 32 * 32;
    const Packed right = Packed::transposed(at::constant_pad_nd(x, {0, 0, 0, columns - tokens}));
    at::Tensor y = at::empty({tokens, outputs}, x.options().dtype(at::kFloat));
    auto* const to = y.mutable_data_ptr<float>();
    share_out((outputs + rows_at_a_time - 1) / rows_at_a_time, [&](int64_t item) {
        const int64_t first = item * rows_at_a_time, rows = std::min(rows_at_a_time, outputs - first);
        Scratch scratch;
        float* sums = scratch.floats(rows_at_a_time * columns);
        multiply({elements(weight) + first * features, features}, right, rows, features, {sums, columns});
        for (int64_t token = 0; token < tokens; ++token) {
            for (int64_t row = 0; row < rows; ++row) to[token * outputs + first + row] = sums[row * columns + token];
        }
    });
    return y;
}

}  // namespace
#endif

at::Tensor wide_linear(const at::Tensor& x, const at::Tensor& weight) {
#if defined(CALIBENCH_BF16_PRODUCTS)
    if (are_usable({weight}) && x.dim() == 2 && x.device().is_cpu() && x.scalar_type() == at::kBFloat16 && x.numel() > 0)
        return from_bfloat16(x.contiguous(), weight);
#endif
    return at::matmul(x.to(at::kFloat), weight.to(at::kFloat).t());
}

}  // namespace calibench
