#pragma once

#include <array>

#include <ATen/ATen.h>

#include "core/base/text.h"
#include "tests/kernel_checks/kernel_checks.h"

namespace calibench::testing {

[[nodiscard]] std::vector<Comparison> qdq_forward(const at::Device& device);
[[nodiscard]] std::vector<Comparison> qdq_step(const at::Device& device);
[[nodiscard]] std::vector<Comparison> block_loss(const at::Device& device);
[[nodiscard]] std::vector<Comparison> rms_norm_forward(const at::Device& device);
[[nodiscard]] std::vector<Comparison> rms_norm_backward(const at::Device& device);
[[nodiscard]] std::vector<Comparison> swiglu_forward(const at::Device& device);
[[nodiscard]] std::vector<Comparison> swiglu_backward(const at::Device& device);
[[nodiscard]] std::vector<Comparison> rotary_forward(const at::Device& device);
[[nodiscard]] std::vector<Comparison> rotary_backward(const at::Device& device);
[[nodiscard]] std::vector<Comparison> causal_softmax_forward(const at::Device& device);
[[nodiscard]] std::vector<Comparison> causal_softmax_backward(const at::Device& device);
[[nodiscard]] std::vector<Comparison> attention(const at::Device& device);
[[nodiscard]] std::vector<Comparison> gated_mlp(const at::Device& device);
[[nodiscard]] std::vector<Comparison> self_attention(const at::Device& device);
[[nodiscard]] std::vector<Comparison> group_ranges(const at::Device& device);
[[nodiscard]] std::vector<Comparison> group_searches(const at::Device& device);
[[nodiscard]] std::vector<Comparison> scales_of_ranges(const at::Device& device);
[[nodiscard]] std::vector<Comparison> quantize_runs(const at::Device& device);
[[nodiscard]] std::vector<Comparison> dequantize_runs(const at::Device& device);
[[nodiscard]] std::vector<Comparison> fake_quantize_runs(const at::Device& device);
[[nodiscard]] std::vector<Comparison> column_ranges(const at::Device& device);
[[nodiscard]] std::vector<Comparison> squared_errors(const at::Device& device);
[[nodiscard]] std::vector<Comparison> activation_tallies(const at::Device& device);

/// The same numbers on every device and in every run.
[[nodiscard]] inline at::Tensor normal(at::IntArrayRef shape, uint64_t seed, const at::Device& device, at::ScalarType dtype = at::kFloat, double spread = 1) {
    return at::randn(shape, at::detail::createCPUGenerator(seed), at::kFloat).mul(spread).to(device, dtype);
}
/// In [low, high).
[[nodiscard]] inline at::Tensor uniform(at::IntArrayRef shape, uint64_t seed, const at::Device& device, double low, double high) {
    return at::rand(shape, at::detail::createCPUGenerator(seed), at::kFloat).mul(high - low).add(low).to(device);
}

[[nodiscard]] inline at::Tensor wide(const at::Tensor& x) { return x.detach().to(at::kDouble); }
[[nodiscard]] inline at::Tensor leaf(const at::Tensor& x) { return x.detach().clone().requires_grad_(); }

/// The largest difference in units of the largest expected value.
[[nodiscard]] inline double difference(const at::Tensor& actual, const at::Tensor& expected) {
    const at::Tensor exact = wide(expected);
    return ((wide(actual) - exact).abs().max() / exact.abs().max().clamp_min(1e-30)).item<double>();
}
/// What difference() may be between a kernel that computes in float32 and the exact result.
[[nodiscard]] inline double rounding_bound(at::ScalarType dtype) { return dtype == at::kFloat ? 2e-6 : 1.0 / 128; }

/// The same of a sum over a row of some 10,000 values, in as few as four float32 lanes.
inline constexpr double sum_bound = 4e-6;

inline constexpr std::array both_dtypes{at::kFloat, at::kBFloat16};
[[nodiscard]] inline const char* name_of(at::ScalarType dtype) { return dtype == at::kFloat ? "float32" : dtype == at::kHalf ? "float16" : "bfloat16"; }
[[nodiscard]] inline std::string describe(at::ScalarType dtype, at::IntArrayRef shape) { return concat(name_of(dtype), " ", shape); }

}  // namespace calibench::testing
