#include "core/calibration/linear_store.h"

#include <algorithm>

#include <ATen/ATen.h>

#include "core/observers/registry.h"

namespace calibench {

QParams observed_qparams(Observer& observer) {
    const at::Tensor global_scale = observer.global_scale();
    if (observer.args().dynamic == Dynamic::Local) return {{}, {}, global_scale};
    const auto [scale, zero_point] = observer.get_qparams();
    return {scale, zero_point, global_scale};
}

std::unique_ptr<Observer> make_weight_observer(const std::string& module, const QuantizationArgs& args) {
    const std::string name = weight_observer_name(args.observer.value_or("memoryless_minmax"));
    return make_observer(name, "weight", args, ObservedModule{module});
}

std::unique_ptr<Observer> make_input_observer(const std::string& module, const QuantizationArgs& args) {
    return make_observer(args.observer.value_or("minmax"), "input", args, ObservedModule{module});
}

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
    const at::Tensor seen = decompress_linear(lookup, plan.scheme, plan.format, weight.scalar_type());
    stored.weight_sqnr_db = sqnr_db(weight, seen);
    linear.weight = seen.to(linear.weight.options());
    for (auto& [name, tensor] : stored.tensors) name = linear.name + "." + name;
    return stored;
}

}  // namespace calibench
