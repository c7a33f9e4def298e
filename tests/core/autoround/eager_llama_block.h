#pragma once

#include <cmath>
#include <map>
#include <string>
#include <vector>

#include <ATen/ATen.h>

#include "core/models/causal_lm.h"

namespace calibench::testing {

/// A Llama decoder layer operation by operation as transformers' eager attention computes it, with rotary angles and an additive mask
/// given from outside: what the reference traces were made with.
class EagerLlamaBlock : public DecoderBlock {
public:
    struct Shape {
        int64_t heads = 4, key_value_heads = 2, head_dim = 32;
        double rms_norm_eps = 1e-5;
    };

    /// `parameters` by their names in the layer: "self_attn.q_proj.weight", ..., "input_layernorm.weight".
    EagerLlamaBlock(Shape shape, const std::map<std::string, at::Tensor>& parameters, at::Tensor cos, at::Tensor sin, at::Tensor mask)
        : shape_(shape), cos_(std::move(cos)), sin_(std::move(sin)), mask_(std::move(mask)) {
        for (const char* name : {"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj", "mlp.gate_proj",
                                 "mlp.up_proj", "mlp.down_proj"}) {
            linears_[name] = Linear{name, parameters.at(std::string(name) + ".weight"), {}, {}, {}, {}};
        }
        input_norm_ = RmsNorm{parameters.at("input_layernorm.weight"), shape.rms_norm_eps};
        post_attention_norm_ = RmsNorm{parameters.at("post_attention_layernorm.weight"), shape.rms_norm_eps};
    }

    at::Tensor forward(const at::Tensor& hidden, const SequenceContext&) override {
        const at::Tensor attended = hidden + attention(input_norm_.forward(hidden));
        const at::Tensor x = post_attention_norm_.forward(attended);
        const at::Tensor inner = at::silu(project("mlp.gate_proj", x)) * project("mlp.up_proj", x);
        return attended + project("mlp.down_proj", inner);
    }

    std::vector<Linear*> linears() override {
        std::vector<Linear*> all;
        for (auto& [name, linear] : linears_) all.push_back(&linear);
        return all;
    }
    Linear* last_projection() override { return &linears_.at("mlp.down_proj"); }
    const std::string& name() const override { return name_; }

    Linear& linear(const std::string& name) { return linears_.at(name); }

private:
    at::Tensor project(const std::string& name, const at::Tensor& x) const { return linears_.at(name).forward(x); }

    at::Tensor rotate(const at::Tensor& x) const {
        const auto halves = x.chunk(2, -1);
        return x * cos_.unsqueeze(1) + at::cat({-halves[1], halves[0]}, -1) * sin_.unsqueeze(1);
    }

    at::Tensor attention(const at::Tensor& x) const {
        const int64_t batch = x.size(0), seq = x.size(1);
        const auto heads = [&](const std::string& name) {
            return project(name, x).view({batch, seq, -1, shape_.head_dim}).transpose(1, 2);
        };
        const auto repeated = [&](const at::Tensor& key_or_value) {
            const int64_t repeats = shape_.heads / shape_.key_value_heads;
            return key_or_value.unsqueeze(2)
                .expand({batch, shape_.key_value_heads, repeats, seq, shape_.head_dim})
                .reshape({batch, shape_.heads, seq, shape_.head_dim});
        };
        const at::Tensor query = rotate(heads("self_attn.q_proj"));
        const at::Tensor key = repeated(rotate(heads("self_attn.k_proj")));
        const at::Tensor value = repeated(heads("self_attn.v_proj"));
        const at::Tensor scores = at::matmul(query, key.transpose(2, 3)) * (1.0 / std::sqrt(static_cast<double>(shape_.head_dim)));
        const at::Tensor weights = at::softmax(scores + mask_, -1, at::kFloat).to(query.scalar_type());
        const at::Tensor mixed = at::matmul(weights, value).transpose(1, 2).contiguous();
        return project("self_attn.o_proj", mixed.reshape({batch, seq, -1}));
    }

    Shape shape_;
    at::Tensor cos_, sin_, mask_;
    std::map<std::string, Linear> linears_;
    RmsNorm input_norm_, post_attention_norm_;
    std::string name_ = "model.layers.0";
};

}  // namespace calibench::testing
