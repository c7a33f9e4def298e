#include "core/calibration/module_observers.h"

#include <ATen/ATen.h>

#include "core/observers/registry.h"

namespace calibench {

static std::unique_ptr<Observer> make_activation_observer(const std::string& module, const std::string& base_name,
                                                          const std::optional<QuantizationArgs>& args) {
    if (!args || args->dynamic == Dynamic::Yes) return nullptr;
    return make_observer(args->observer.value_or("minmax"), base_name, *args, ObservedModule{module});
}

ModuleObservers::ModuleObservers(const std::string& module, const ModulePlan& plan)
    : input(make_activation_observer(module, "input", plan.scheme.input_activations)),
      output(make_activation_observer(module, "output", plan.scheme.output_activations)) {
    if (plan.weighs_inputs) energy = std::make_unique<InputEnergy>();
    if (!plan.scheme.weights || plan.tuning || plan.opt_rtn) return;
    const QuantizationArgs& args = *plan.scheme.weights;
    weight = make_observer(weight_observer_name(args.observer.value_or("memoryless_minmax")), "weight", args, ObservedModule{module});
}

void ModuleObservers::see_input(const at::Tensor& values) const {
    if (input) input->observe(values);
    if (weight && weight->wants_inputs()) weight->observe_input(values);
    if (energy) energy->observe(values);
}

void ModuleObservers::see_output(const at::Tensor& values) const {
    if (output) output->observe(values);
}

ModuleQParams ModuleObservers::activations(at::ScalarType dtype) const {
    ModuleQParams qparams;
    if (input) qparams.input = observed_qparams(*input, dtype);
    if (output) qparams.output = observed_qparams(*output, dtype);
    return qparams;
}

std::unique_ptr<Observer> make_cache_observer(const std::string& attention, const std::string& base_name, const QuantizationArgs& args) {
    return make_activation_observer(attention, base_name, args);
}

QParams observed_qparams(Observer& observer, std::optional<at::ScalarType> dtype) {
    const at::Tensor global_scale = observer.global_scale();
    if (observer.args().dynamic == Dynamic::Local) return {{}, {}, global_scale};
    const auto [scale, zero_point] = observer.get_qparams();
    return {dtype ? scale.to(*dtype) : scale, zero_point, global_scale};
}

void round_activations(Linear& linear, const QuantizationScheme& scheme, const ModuleQParams& stored, at::ScalarType dtype, SharedQuantizers& inputs) {
    if (scheme.input_activations) linear.transform_input = inputs.make(*scheme.input_activations, as_read(stored.input, dtype));
    if (scheme.output_activations) linear.transform_output = make_activation_quantizer(*scheme.output_activations, as_read(stored.output, dtype));
}

QParams as_read(const QParams& stored, at::ScalarType dtype) {
    QParams read = stored;
    if (read.scale.defined()) read.scale = read.scale.to(dtype);
    if (read.zero_point.defined()) read.zero_point = read.zero_point.to(dtype);
    return read;
}

}  // namespace calibench
