#include "core/models/layers.h"

#include <map>

#include <ATen/ATen.h>

#include "core/models/fused_ops.h"

namespace calibench {

at::Tensor Linear::forward(const at::Tensor& input) const {
    const at::Tensor output = fused_linear(enter(input), weight, bias);
    if (on_output) on_output(output);
    return transform_output ? transform_output(output) : output;
}

at::Tensor Linear::enter(const at::Tensor& input) const {
    if (on_input) on_input(input);
    return transform_input ? transform_input(input) : input;
}

ProjectionInput Linear::tap() const {
    if (!on_input && !transform_input) return nullptr;
    return [this](const at::Tensor& input) { return enter(input); };
}

at::Tensor StateTap::pass(const at::Tensor& states) const {
    if (on_states) on_states(states);
    return transform ? transform(states) : states;
}

at::Tensor RmsNorm::forward(const at::Tensor& x) const { return rms_norm(x, weight, eps); }

namespace {

const std::map<std::string, GatedActivation>& gated_activations() {
    constexpr GatedActivation silu = [](const at::Tensor& gate, const at::Tensor& up) { return swiglu(gate, up); };
    constexpr GatedActivation gelu = [](const at::Tensor& gate, const at::Tensor& up) { return at::gelu(gate) * up; };
    constexpr GatedActivation gelu_tanh = [](const at::Tensor& gate, const at::Tensor& up) { return at::gelu(gate, "tanh") * up; };
    static const std::map<std::string, GatedActivation> table = {
        {"silu", silu}, {"swish", silu}, {"gelu", gelu}, {"gelu_new", gelu_tanh}, {"gelu_pytorch_tanh", gelu_tanh},
    };
    return table;
}

}  // namespace

GatedActivation find_gated_activation(const std::string& name) {
    const auto found = gated_activations().find(name);
    return found == gated_activations().end() ? nullptr : found->second;
}

std::vector<std::string> activation_names() {
    std::vector<std::string> names;
    for (const auto& [name, activation] : gated_activations()) names.push_back(name);
    return names;
}

}  // namespace calibench
