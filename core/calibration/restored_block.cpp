#include "core/calibration/restored_block.h"

#include <map>

#include <ATen/ATen.h>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/calibration/float_block.h"
#include "core/calibration/module_observers.h"
#include "core/quantization/activation_quantizer.h"

namespace calibench {
namespace {

class StoredTensors {
public:
    StoredTensors(const FinishedBlock& finished, const at::Device& device) : device_(device) {
        for (const auto& [name, tensor] : finished.tensors) tensors_[name] = tensor;
    }

    [[nodiscard]] TensorLookup under(const std::string& module) const {
        return [this, module](const std::string& name) {
            const auto found = tensors_.find(concat(module, ".", name));
            return found == tensors_.end() ? at::Tensor() : found->second.to(device_);
        };
    }

private:
    std::map<std::string, at::Tensor> tensors_;
    at::Device device_;
};

/// Of what `base_name` ("input", "output", "k", "v") stands for.
QParams stored_qparams(const TensorLookup& stored, const std::string& base_name, at::ScalarType compute) {
    return as_read({stored(base_name + "_scale"), stored(base_name + "_zero_point"), stored(base_name + "_global_scale")}, compute);
}

at::Tensor read_weight(const TensorLookup& stored, const std::string& module, const ModulePlan& plan, const ComputeOptions& options) {
    try {
        return decompress_linear(stored, plan.scheme, plan.format, options.dtype).to(options.device, options.dtype);
    } catch (const InputError& error) {
        throw InputError(concat("What the run has kept of ", module, " is damaged: ", error.what(), "."));
    }
}

void restore(DecoderBlock& block, const FinishedBlock& finished, const RunPlan& plan) {
    const ComputeOptions& options = plan.model->options();
    const StoredTensors tensors(finished, options.device);
    SharedQuantizers inputs;
    for (Linear* linear : block.linears()) {
        const auto found = finished.modules.find(linear->name);
        if (found == finished.modules.end()) continue;
        const QuantizationScheme& scheme = found->second.scheme;
        const TensorLookup stored = tensors.under(linear->name);
        if (found->second.format != CompressionFormat::Dense) linear->weight = read_weight(stored, linear->name, found->second, options);
        if (scheme.input_activations) linear->transform_input = inputs.make(*scheme.input_activations, stored_qparams(stored, "input", options.dtype));
        if (scheme.output_activations)
            linear->transform_output = make_activation_quantizer(*scheme.output_activations, stored_qparams(stored, "output", options.dtype));
    }
    KeyValueTaps* taps = block.key_value_taps();
    if (!plan.kv_cache || !taps) return;
    const TensorLookup stored = tensors.under(block.name() + ".self_attn");
    taps->key.transform = make_activation_quantizer(*plan.kv_cache, stored_qparams(stored, "k", options.dtype));
    taps->value.transform = make_activation_quantizer(*plan.kv_cache, stored_qparams(stored, "v", options.dtype));
}

/// The outputs of the float block, to the bit as the run had them: it watched every projection, and a block that is watched computes
/// by other kernels than one that is not.
at::Tensor run_float_block(const RunPlan& plan, DecoderBlock& block, const at::Tensor& inputs, RunReporter& reporter) {
    for (Linear* linear : block.linears()) linear->on_input = [](const at::Tensor&) {};
    const at::Tensor outputs = forward_all(block, inputs, plan, reporter);
    for (Linear* linear : block.linears()) linear->on_input = nullptr;
    return outputs;
}

}  // namespace

void run_restored_block(const RunPlan& plan, DecoderBlock& block, int64_t index, const FinishedBlock& finished, HiddenStates& hidden, RunReporter& reporter) {
    reporter.enter_block(index);
    reporter.enter_stage("restoring");
    const bool same_inputs = hidden.quantized.is_same(hidden.reference);
    hidden.reference = run_float_block(plan, block, hidden.reference, reporter);
    if (same_inputs && !BlockCalibration::quantizes(plan, index)) {
        hidden.quantized = hidden.reference;
        reporter.advance(static_cast<double>(plan.samples.num_samples));
        return;
    }
    restore(block, finished, plan);
    hidden.quantized = forward_all(block, hidden.quantized, plan, reporter);
}

double work_of_restoring(const RunPlan& plan) {
    return 2 * static_cast<double>(plan.samples.num_samples);
}

}  // namespace calibench
