#include <QtTest/QTest>

#include "core/recipe/vllm_rules.h"
#include "tests/core/recipe/recipe_fixtures.h"

using namespace calibench;
using namespace calibench::testing;

namespace {

std::vector<Diagnostic> check(const std::string& modifiers, const ServingOptions& options = {}, const ModelSummary& model = llama_summary()) {
    const ParsedRecipe parsed = parse_recipe("default_stage:\n  default_modifiers:\n" + modifiers);
    if (!parsed.recipe) qFatal("%s", all_text(parsed.diagnostics).c_str());
    return check_vllm(*parsed.recipe, resolve_recipe(*parsed.recipe, model), model, options);
}

std::vector<Diagnostic> check_preset(const std::string& scheme) {
    return check("    QuantizationModifier: {scheme: " + scheme + ", ignore: [lm_head]}\n");
}

std::vector<Diagnostic> check_weights(const std::string& weights, const std::string& inputs = "null") {
    return check("    QuantizationModifier:\n      ignore: [lm_head]\n      config_groups:\n        g: {targets: [Linear], weights: {" + weights +
                 "}, input_activations: " + inputs + "}\n");
}

size_t errors(const std::vector<Diagnostic>& diagnostics) { return count_of(diagnostics, Diagnostic::Severity::Error); }

/// One sparse block with two experts.
ModelSummary moe_summary() {
    ModelSummary model = llama_summary({.num_blocks = 1, .hidden = 128, .intermediate = 256, .kv = 64, .vocab = 512});
    for (int expert = 0; expert < 2; ++expert)
        for (const char* part : {"gate_proj", "up_proj", "down_proj"})
            model.modules.push_back({.name = concat("model.layers.0.mlp.experts.", expert, ".", part), .class_name = "Linear", .block = 0,
                                     .expert = expert, .shape = {128, 128}});
    return model;
}

}  // namespace

class TestVllmRules : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void presets_that_vllm_serves_pass_data() {
        QTest::addColumn<QString>("scheme");
        for (const char* name : {"W4A16", "W8A16", "W8A8", "INT8", "FP8", "FP8_DYNAMIC", "NVFP4", "NVFP4A16", "MXFP4A16", "MXFP8"})
            QTest::newRow(name) << name;
    }
    void presets_that_vllm_serves_pass() {
        QFETCH(QString, scheme);
        const auto found = check_preset(scheme.toStdString());
        QVERIFY2(errors(found) == 0, all_text(found).c_str());
        QVERIFY(count_of(found, Diagnostic::Severity::Note) == 1);  // which GPU it needs
    }

    void partly_ignored_fused_layers_are_refused() {
        const auto found = check("    QuantizationModifier: {scheme: W8A16, ignore: [lm_head, 're:.*k_proj']}\n");
        QCOMPARE(errors(found), size_t(1));
        VERIFY_CONTAINS(all_text(found), "only some are quantized; k_proj would not be, in model.layers.0.self_attn.qkv_proj");
        VERIFY_CONTAINS(all_text(found), "and 28 more");
    }

    void different_schemes_within_a_fused_layer_are_refused() {
        const auto found = check(
            "    QuantizationModifier:\n"
            "      ignore: [lm_head]\n"
            "      config_groups:\n"
            "        eight: {targets: ['re:.*gate_proj'], weights: {num_bits: 8, strategy: channel}}\n"
            "        four: {targets: ['re:.*(up|down|q|k|v|o)_proj'], weights: {num_bits: 4, group_size: 64}}\n");
        QCOMPARE(errors(found), size_t(1));
        VERIFY_CONTAINS(all_text(found), "line 6: error: vLLM loads gate_proj, up_proj as one layer and refuses different schemes");
    }

    void different_schemes_outside_of_fused_layers_pass() {
        const auto found = check(
            "    QuantizationModifier:\n"
            "      ignore: [lm_head]\n"
            "      config_groups:\n"
            "        eight: {targets: ['re:.*self_attn.*'], weights: {num_bits: 8, strategy: channel}}\n"
            "        four: {targets: ['re:.*mlp.*'], weights: {num_bits: 4, group_size: 64}}\n");
        QVERIFY2(errors(found) == 0, all_text(found).c_str());
    }

    void experts_share_one_scheme() {
        const std::string one_left_out = "    QuantizationModifier: {scheme: W8A16, ignore: [lm_head, 're:.*experts.1.down_proj']}\n";
        const auto found = check(one_left_out, {}, moe_summary());
        QCOMPARE(errors(found), size_t(1));
        VERIFY_CONTAINS(all_text(found), "model.layers.0.mlp.experts");
        const std::string all_left_out = "    QuantizationModifier: {scheme: W8A16, ignore: [lm_head, 're:.*experts.*']}\n";
        QCOMPARE(errors(check(all_left_out, {}, moe_summary())), size_t(0));
    }

    void schemes_without_a_kernel_are_refused_data() {
        QTest::addColumn<QString>("weights");
        QTest::addColumn<QString>("inputs");
        QTest::newRow("int4 per tensor") << "num_bits: 4, strategy: tensor" << "null";
        QTest::newRow("asymmetric int3") << "num_bits: 3, symmetric: false, group_size: 64" << "null";
        QTest::newRow("int1") << "num_bits: 1, group_size: 64" << "null";
        QTest::newRow("asymmetric fp8") << "num_bits: 8, type: float, symmetric: false, strategy: channel" << "null";
        QTest::newRow("w8a8 with grouped weights") << "num_bits: 8, group_size: 64" << "{num_bits: 8, strategy: token, dynamic: true}";
        QTest::newRow("w8a4") << "num_bits: 8, strategy: channel" << "{num_bits: 4, strategy: token, dynamic: true}";
    }
    void schemes_without_a_kernel_are_refused() {
        QFETCH(QString, weights);
        QFETCH(QString, inputs);
        const auto found = check_weights(weights.toStdString(), inputs.toStdString());
        QCOMPARE(errors(found), size_t(1));
        VERIFY_CONTAINS(all_text(found), "No compressed-tensors compatible scheme was found");
    }

    void groups_must_fit_into_each_shard() {
        // 576 columns of o_proj over two GPUs are 288 each: 4.5 groups of 64, but 9 of 32. 1536 of down_proj fit both.
        const std::string w4 = "    QuantizationModifier:\n      ignore: [lm_head]\n      config_groups:\n        g: {targets: [Linear], weights: {num_bits: 4, group_size: ";
        QCOMPARE(errors(check(w4 + "64}}\n")), size_t(0));
        const auto found = check(w4 + "64}}\n", {.tensor_parallel = 2});
        QCOMPARE(errors(found), size_t(1));
        VERIFY_CONTAINS(all_text(found), "group_size 64 does not divide the 288 columns that each of 2 GPUs holds of model.layers.0.self_attn.o_proj");
        QCOMPARE(errors(check(w4 + "32}}\n", {.tensor_parallel = 2})), size_t(0));
        VERIFY_CONTAINS(all_text(check(w4 + "32}}\n", {.tensor_parallel = 5})), "does not divide");
    }

    void kv_cache_scales_are_fp8_per_tensor() {
        const std::string recipe = "    QuantizationModifier:\n      scheme: W8A16\n      ignore: [lm_head]\n      kv_cache_scheme: ";
        QCOMPARE(errors(check(recipe + "{num_bits: 8, type: float, strategy: tensor}\n")), size_t(0));
        VERIFY_CONTAINS(all_text(check(recipe + "{num_bits: 8, type: int, strategy: tensor}\n")), "KV cache scales");
    }
};

QTEST_GUILESS_MAIN(TestVllmRules)
#include "tst_vllm_rules.moc"
