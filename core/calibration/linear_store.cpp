#include "core/calibration/linear_store.h"

#include <algorithm>

#include <ATen/ATen.h>

namespace calibench {

static double sqnr_db(const at::Tensor& weight, const at::Tensor& stored) {
    const at::Tensor exact = weight.to(at::kFloat);
    const double signal = at::sum(exact * exact, at::kDouble).item<double>();
    const at::Tensor error = exact - stored.to(at::kFloat);
    return 10 * std::log10(signal / at::sum(error * error, at::kDouble).item<double>());
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
