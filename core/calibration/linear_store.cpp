#include "core/calibration/linear_store.h"

#include <algorithm>

#include <ATen/ATen.h>

namespace calibench {

/// Weights compared at a time: a head in float32 would be the largest thing in memory.
static constexpr int64_t weights_at_a_time = 1 << 22;

static double sqnr_db(const at::Tensor& weight, const at::Tensor& stored) {
    const int64_t rows = std::max<int64_t>(1, weights_at_a_time / weight.size(1));
    double signal = 0, noise = 0;
    for (int64_t begin = 0; begin < weight.size(0); begin += rows) {
        const auto slice = [&](const at::Tensor& all) { return all.slice(0, begin, begin + rows).to(at::kFloat); };
        const at::Tensor exact = slice(weight), error = exact - slice(stored);
        signal += at::sum(exact.square(), at::kDouble).item<double>();
        noise += at::sum(error.square(), at::kDouble).item<double>();
    }
    return 10 * std::log10(signal / noise);
}

StoredLinear store_linear(Linear& linear, const at::Tensor& weight, const ModulePlan& plan, const ModuleQParams& qparams, const at::Tensor& integers) {
    StoredLinear stored;
    stored.tensors = integers.defined() ? compress_quantized_linear(integers, {}, qparams, plan.scheme, plan.format)
                                        : compress_linear(weight, {}, qparams, plan.scheme, plan.format);
    const TensorLookup lookup = [&](const std::string& name) {
        const auto found = std::find_if(stored.tensors.begin(), stored.tensors.end(), [&](const auto& entry) { return entry.name == name; });
        return found == stored.tensors.end() ? at::Tensor() : found->tensor;
    };
    const at::Tensor seen = decompress_linear(lookup, plan.scheme, plan.format, linear.weight.scalar_type());
    stored.weight_sqnr_db = sqnr_db(weight, seen);
    linear.weight = seen.to(linear.weight.options());
    for (auto& [name, tensor] : stored.tensors) name = linear.name + "." + name;
    return stored;
}

}  // namespace calibench
