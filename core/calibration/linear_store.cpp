#include "core/calibration/linear_store.h"

#include <algorithm>
#include <cmath>

#include <ATen/ATen.h>

#include "core/kernels/cpu/squared_error.h"

namespace calibench {

StoredLinear store_linear(Linear& linear, const at::Tensor& weight, const ModulePlan& plan, const ModuleQParams& qparams, const at::Tensor& integers) {
    StoredLinear stored;
    stored.tensors = integers.defined() ? compress_quantized_linear(integers, {}, qparams, plan.scheme, plan.format)
                                        : compress_linear(weight, {}, qparams, plan.scheme, plan.format);
    const TensorLookup lookup = [&](const std::string& name) {
        const auto found = std::find_if(stored.tensors.begin(), stored.tensors.end(), [&](const auto& entry) { return entry.name == name; });
        return found == stored.tensors.end() ? at::Tensor() : found->tensor;
    };
    const at::Tensor seen = decompress_linear(lookup, plan.scheme, plan.format, linear.weight.scalar_type());
    const SquaredError error = squared_error(weight, seen);
    stored.weight_sqnr_db = 10 * std::log10(error.signal / error.noise);
    linear.weight = seen.to(linear.weight.options());
    for (auto& [name, tensor] : stored.tensors) name = linear.name + "." + name;
    return stored;
}

}  // namespace calibench
