#pragma once

#include <QRegularExpression>
#include <QTest>

#include <string>

#include "core/models/model_summary.h"
#include "ui/run_feed.h"

namespace calibench::test {

/// From here on any Qt warning fails the test, but those with which the offscreen platform greets windows and their menus: call it in init().
inline void failOnAnyWarning() {
#if QT_VERSION >= QT_VERSION_CHECK(6, 3, 0)
    QTest::failOnWarning(QRegularExpression(QStringLiteral("^(?!This plugin does not support (propagateSizeHints|raise|grabbing))")));
#endif
}

inline ModuleInfo linear(const std::string& name, int block, int expert = -1) {
    return {.name = name, .class_name = "Linear", .block = block, .expert = expert, .shape = {32, 16}, .dtype = "BF16",
            .num_parameters = 512, .num_bytes = 1024};
}

/// embed_tokens, `blocks` blocks of q_proj, k_proj, down_proj, then norm and lm_head.
inline ModelSummary denseModel(int blocks = 3) {
    ModelSummary model;
    model.architecture = "LlamaForCausalLM";
    model.num_blocks = blocks;
    model.modules.push_back({.name = "model.embed_tokens", .class_name = "Embedding", .shape = {64, 16}, .dtype = "BF16"});
    for (int block = 0; block < blocks; ++block)
        for (const char* part : {"self_attn.q_proj", "self_attn.k_proj", "mlp.down_proj"})
            model.modules.push_back(linear("model.layers." + std::to_string(block) + "." + part, block));
    model.modules.push_back(linear("lm_head", -1));
    return model;
}

/// Two blocks of four experts with one projection each.
inline ModelSummary moeModel() {
    ModelSummary model;
    model.num_blocks = 2;
    model.num_experts = 4;
    for (int block = 0; block < 2; ++block)
        for (int expert = 0; expert < 4; ++expert)
            model.modules.push_back(linear("model.layers." + std::to_string(block) + ".mlp.experts." + std::to_string(expert) + ".up_proj", block, expert));
    return model;
}

inline RunStarted startOf(const ModelSummary& model, int64_t iters = 20) {
    return {.model = "tiny", .architecture = model.architecture, .num_blocks = model.num_blocks, .num_quantized_modules = 9,
            .num_samples = 4, .seq_len = 32, .iters = iters, .device = "cpu", .dtype = "float32", .threads = 1};
}

}  // namespace calibench::test
