#pragma once

#include <functional>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "core/kernels/projection_input.h"

namespace calibench {

/// y = x W^T + b of one projection: the unit that quantization works on. The tuner replaces `weight` by a fake-quantized,
/// differentiable one; observers look through `on_input` and `on_output`.
struct Linear {
    std::string name;   ///< full module name, "model.layers.3.self_attn.q_proj"
    at::Tensor weight;  ///< [out, in]
    at::Tensor bias;    ///< [out], or undefined

    /// Called with every input [..., in] before it is used; null when nobody watches.
    std::function<void(const at::Tensor& input)> on_input;
    /// Applied to the input: activation fake quantization. Null: none.
    std::function<at::Tensor(const at::Tensor& input)> transform_input;
    /// Called with every output [..., out], before it is transformed.
    std::function<void(const at::Tensor& output)> on_output;
    std::function<at::Tensor(const at::Tensor& output)> transform_output = {};

    [[nodiscard]] at::Tensor forward(const at::Tensor& input) const;
    /// What its weight is multiplied with: the input, which is watched here, as it is transformed.
    [[nodiscard]] at::Tensor enter(const at::Tensor& input) const;
    /// For a fused half that is told of nothing else; null where nobody watches or transforms the input.
    [[nodiscard]] ProjectionInput tap() const;
    /// Nobody watches or changes what goes through.
    [[nodiscard]] bool is_untouched() const { return !on_input && !transform_input && has_free_output(); }
    /// The same of what comes out.
    [[nodiscard]] bool has_free_output() const { return !on_output && !transform_output; }
};

/// A place where attention's states [batch, heads, seq, head_dim] can be watched and changed.
struct StateTap {
    std::function<void(const at::Tensor& states)> on_states;
    std::function<at::Tensor(const at::Tensor& states)> transform;  ///< fake quantization

    [[nodiscard]] bool in_use() const { return on_states || transform; }
    [[nodiscard]] at::Tensor pass(const at::Tensor& states) const;
};

/// Keys and values as a cache would hold them: keys rotated, heads not repeated.
struct KeyValueTaps {
    StateTap key, value;
};

/// x * rsqrt(mean(x^2) + eps) * weight, the mean in float32 (LlamaRMSNorm).
struct RmsNorm {
    at::Tensor weight;
    double eps = 1e-6;
    [[nodiscard]] at::Tensor forward(const at::Tensor& x) const;
};

/// act(gate) * up.
using GatedActivation = at::Tensor (*)(const at::Tensor& gate, const at::Tensor& up);
/// By the name of act in config.json ("silu", "gelu_pytorch_tanh"); null when unknown.
[[nodiscard]] GatedActivation find_gated_activation(const std::string& name);
[[nodiscard]] std::vector<std::string> activation_names();

}  // namespace calibench
