#pragma once

#include <algorithm>
#include <string>

#include "core/base/text.h"
#include "core/recipe/recipe.h"

namespace calibench::testing {

/// The module list of a Llama with SwiGLU blocks, as inspect_model gives it.
struct LlamaShape {
    int64_t num_blocks = 30;  // the defaults are SmolLM2-135M's
    int64_t hidden = 576;
    int64_t intermediate = 1536;
    int64_t kv = 192;
    int64_t vocab = 49152;
};

inline ModelSummary llama_summary(const LlamaShape& shape = {}) {
    ModelSummary model;
    model.architecture = "LlamaForCausalLM";
    model.num_blocks = shape.num_blocks;
    model.tied_embeddings = true;
    const auto add = [&](const std::string& name, const std::string& class_name, std::vector<int64_t> weight, int block) {
        model.modules.push_back({.name = name, .class_name = class_name, .block = block, .shape = std::move(weight)});
    };
    add("model.embed_tokens", "Embedding", {shape.vocab, shape.hidden}, -1);
    for (int b = 0; b < shape.num_blocks; ++b) {
        const std::string block = concat("model.layers.", b, ".");
        add(block + "self_attn.q_proj", "Linear", {shape.hidden, shape.hidden}, b);
        add(block + "self_attn.k_proj", "Linear", {shape.kv, shape.hidden}, b);
        add(block + "self_attn.v_proj", "Linear", {shape.kv, shape.hidden}, b);
        add(block + "self_attn.o_proj", "Linear", {shape.hidden, shape.hidden}, b);
        add(block + "mlp.gate_proj", "Linear", {shape.intermediate, shape.hidden}, b);
        add(block + "mlp.up_proj", "Linear", {shape.intermediate, shape.hidden}, b);
        add(block + "mlp.down_proj", "Linear", {shape.hidden, shape.intermediate}, b);
        add(block + "input_layernorm", "LlamaRMSNorm", {shape.hidden}, b);
        add(block + "post_attention_layernorm", "LlamaRMSNorm", {shape.hidden}, b);
    }
    add("model.norm", "LlamaRMSNorm", {shape.hidden}, -1);
    add("lm_head", "Linear", {shape.vocab, shape.hidden}, -1);
    return model;
}

/// All diagnostics, a line each, for failure messages and for searching.
inline std::string all_text(const std::vector<Diagnostic>& diagnostics) {
    std::string text;
    for (const Diagnostic& diagnostic : diagnostics) text += to_string(diagnostic) + "\n";
    return text;
}

inline size_t count_of(const std::vector<Diagnostic>& diagnostics, Diagnostic::Severity severity) {
    return size_t(std::count_if(diagnostics.begin(), diagnostics.end(),
                                [severity](const Diagnostic& diagnostic) { return diagnostic.severity == severity; }));
}

}  // namespace calibench::testing

#define VERIFY_CONTAINS(text, part)                                                                             \
    do {                                                                                                        \
        const std::string whole_text = (text);                                                                  \
        const std::string wanted_part = (part);                                                                 \
        QVERIFY2(whole_text.find(wanted_part) != std::string::npos,                                             \
                 ("missing: " + wanted_part + "\nin: " + whole_text).c_str());                                  \
    } while (false)
