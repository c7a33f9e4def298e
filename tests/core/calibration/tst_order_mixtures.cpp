#include <filesystem>
#include <map>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <QTest>

#include "core/base/text.h"
#include "core/calibration/calibration_pipeline.h"
#include "tests/core/calibration/ordered_run.h"
#include "tests/core/calibration/reopened_model.h"

using namespace calibench;
using namespace calibench::testing;
namespace fs = std::filesystem;

namespace {

/// As an editor writes it: all as before, but for block 1.
const std::string tuned_w4_and_w8_in_block_1 = R"(# what the user wrote stays
quant_stage:
  quant_modifiers:
    AutoRoundModifier:
      iters: 4
      batch_size: 4
      ignore: [lm_head]
      config_groups:
        group_0: {targets: [Linear], weights: {num_bits: 4, type: int, symmetric: true, strategy: group, group_size: 64}}
        group_1: {targets: ['re:.*layers\.1\..*_proj$'], weights: {num_bits: 8, type: int, symmetric: true, strategy: channel}}
)";
const std::string tuned_w4_without_q_proj = tuned("num_bits: 4, strategy: group, group_size: 64", "lm_head, 're:.*q_proj$'");
/// Its observers have to see the inputs.
const std::string static_w8a8 = recipe_of("QuantizationModifier: {ignore: [lm_head], config_groups: {group_0: {targets: [Linear], "
                                          "weights: {num_bits: 8, strategy: channel, observer: imatrix_mse}, "
                                          "input_activations: {num_bits: 8, strategy: tensor, observer: static_minmax}}}}");
const std::string attention_only = recipe_of("QuantizationModifier: {config_groups: {group_0: {targets: ['re:.*layers.0.self_attn.*_proj$'], "
                                             "weights: {num_bits: 8, strategy: channel}}}}");

}  // namespace

/// Blocks that were given another recipe on the way, read back.
class OrderMixturesTest : public OrderedRun {
    Q_OBJECT
private Q_SLOTS:
    void initTestCase() { at::set_num_threads(1); }
    void init() { begin(); }

    void a_mixture_reads_back_data() {
        QTest::addColumn<QString>("model");
        QTest::addColumn<QString>("recipe");
        QTest::addColumn<QString>("ordered");
        QTest::addColumn<QString>("scheme_of_up");  ///< in block 1
        QTest::addColumn<QString>("scheme_of_q");
        const auto add = [](const char* name, const fs::path& model, const std::string& recipe, const std::string& ordered, const char* up, const char* q) {
            QTest::addRow("%s, %s", name, model.filename().c_str()) << QString::fromStdString(model.string()) << QString::fromStdString(recipe) << QString::fromStdString(ordered) << QString(up) << QString(q);
        };
        for (const fs::path& model : {llama, moe}) {
            add("all W8", model, tuned_w4, tuned_w8, "W8A16 channel asym", "W8A16 channel asym");
            add("block W8", model, tuned_w4, tuned_w4_and_w8_in_block_1, "W8A16 channel sym", "W8A16 channel sym");
            add("a module ignored", model, tuned_w4, tuned_w4_without_q_proj, "W4A16 g64 sym", "");
            add("tuned to nearest", model, tuned_w4, nearest_w8, "W8A16 g128 sym", "W8A16 g128 sym");
            add("nearest to tuned", model, nearest_w8, tuned_w4, "W4A16 g64 sym", "W4A16 g64 sym");
            add("static inputs", model, tuned_w4, static_w8a8, "W8A8", "W8A8");
            add("nothing left", model, tuned_w4, attention_only, "", "");
            add("only this block", model, attention_only, tuned_w4, "W4A16 g64 sym", "W4A16 g64 sym");
        }
    }
    void a_mixture_reads_back() {
        QFETCH(QString, model);
        QFETCH(QString, recipe);
        QFETCH(QString, ordered);
        QFETCH(QString, scheme_of_up);
        QFETCH(QString, scheme_of_q);
        const RunConfig config = this->config(model.toStdString(), recipe.toStdString());
        recorder_.react = [this, ordered, given = false](const RunEvent& event) mutable {
            const auto* progress = std::get_if<Progress>(&event);
            if (given || !progress || progress->block != 1 || (progress->stage != "tuning" && progress->stage != "propagating")) return;
            given = true;
            control_->order(redo({}, ordered.toStdString(), BlockOrder::Keep::Newest));
        };
        RunReporter reporter(recorder_, *control_);
        RunPlan plan = prepare_run(config);
        CalibrationPipeline pipeline(plan, reporter);
        const RunSummary summary = pipeline.run();
        QCOMPARE(recorder_.all<BlockRedone>().size(), 1u);
        QCOMPARE(finished(1).kept_attempt, recipe.toStdString() == attention_only ? 0 : 1);  // a block that was left alone had no loss to compare

        const at::Tensor ids = at::tensor(plan.samples.input_ids).view({plan.samples.num_samples, plan.samples.seq_len});
        const at::Tensor in_memory = plan.model->logits(pipeline.hidden().quantized);
        const at::Tensor reopened = reopened_logits(config.output_dir, ids, plan.model->options(), plan.batch_size);
        QVERIFY2(at::equal(in_memory, reopened), concat("largest difference ", (in_memory - reopened).abs().max().item<double>()).c_str());

        // What the export says of itself is what was done, module by module.
        const Recipe exported = load_recipe(config.output_dir / "recipe.yaml");
        const ResolvedRecipe resolved = resolve_recipe(exported, plan.summary);
        QVERIFY(!resolved.has_errors());
        QCOMPARE(int64_t(resolved.modules.size()), summary.num_quantized_modules);
        std::map<std::string, std::string> told;
        for (const auto& module : recorder_.all<ModuleQuantized>()) told[module.module] = module.scheme;
        for (const auto& module : resolved.modules) QCOMPARE(told[module.name], describe(module.scheme));
        for (const auto& [name, scheme] : told) QVERIFY2(resolved.find(name) || scheme.empty(), name.c_str());
        const std::string up = model.contains("moe") ? "model.layers.1.mlp.experts.3.up_proj" : "model.layers.1.mlp.up_proj";
        for (const auto& [name, expected] : {std::pair{up, scheme_of_up}, {std::string("model.layers.1.self_attn.q_proj"), scheme_of_q}}) {
            const ResolvedModule* module = resolved.find(name);
            QVERIFY2(QString::fromStdString(module ? describe(module->scheme) : "").startsWith(expected) && bool(module) == !expected.isEmpty(),
                     module ? describe(module->scheme).c_str() : "unquantized");
        }
        for (const ModuleInfo& module : inspect_model(config.output_dir).modules) {
            const ResolvedModule* found = resolved.find(module.name);
            QCOMPARE(module.scheme, found ? describe(found->scheme) : "");
        }
        QCOMPARE(QString::fromStdString(plan.config.recipe_yaml), QString::fromStdString(recorder_.all<RecipeChanged>().back().recipe_yaml));
        if (ordered.toStdString() == tuned_w4_and_w8_in_block_1) QCOMPARE(QString::fromStdString(plan.config.recipe_yaml), ordered);
        verify_progress_never_falls();
    }
};

QTEST_GUILESS_MAIN(OrderMixturesTest)
#include "tst_order_mixtures.moc"
