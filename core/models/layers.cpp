#include "core/models/layers.h"

#include <map>

#include <ATen/ATen.h>

namespace calibench {

at::Tensor Linear::forward(const at::Tensor& input) const {
    if (on_input) on_input(input);
    const at::Tensor output = at::linear(transform_input ? transform_input(input) : input, weight, bias);
    if (on_output) on_output(output);
    return transform_output ? transform_output(output) : output;
}

at::Tensor StateTap::pass(const at::Tensor& states) const {
    if (on_states) on_states(states);
    return transform ? transform(states) : states;
}

at::Tensor RmsNorm::forward(const at::Tensor& x) const {
    const at::Tensor wide = x.to(at::kFloat);
    const at::Tensor scaled = wide * at::rsqrt(wide.square().mean(-1, /*keepdim=*/true) + eps);
    return weight * scaled.to(x.scalar_type());
}

namespace {

const std::map<std::string, Activation>& activations() {
    constexpr Activation silu = [](const at::Tensor& x) { return at::silu(x); };
    constexpr Activation gelu = [](const at::Tensor& x) { return at::gelu(x); };
    constexpr Activation gelu_tanh = [](const at::Tensor& x) { return at::gelu(x, "tanh"); };
    static const std::map<std::string, Activation> table = {
        {"silu", silu}, {"swish", silu}, {"gelu", gelu}, {"gelu_new", gelu_tanh}, {"gelu_pytorch_tanh", gelu_tanh},
    };
    return table;
}

}  // namespace

Activation find_activation(const std::string& name) {
    const auto found = activations().find(name);
    return found == activations().end() ? nullptr : found->second;
}

std::vector<std::string> activation_names() {
    std::vector<std::string> names;
    for (const auto& [name, activation] : activations()) names.push_back(name);
    return names;
}

}  // namespace calibench
