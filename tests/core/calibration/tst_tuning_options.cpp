#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include <ATen/ATen.h>
#include <QTemporaryDir>
#include <QTest>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/calibration/calibration_pipeline.h"
#include "core/calibration/run.h"
#include "core/models/checkpoint.h"
#include "core/models/module_plan.h"
#include "tests/core/calibration/recorder.h"
#include "tests/core/calibration/reopened_model.h"

using namespace calibench;
using testing::read_bytes;
using testing::Recorder;
using testing::reopened_logits;
namespace fs = std::filesystem;

namespace {

const fs::path demo = fs::path(CALIBENCH_RESOURCES) / "demo";
const fs::path llama = demo / "tiny-llama-shakespeare";  // 4 blocks
const fs::path moe = demo / "tiny-qwen3-moe-shakespeare";

std::string recipe(const std::string& section, int bits = 3, const std::string& ignore = "lm_head", const std::string& more = "") {
    return concat("calibench: {", section, "}\nquant_stage:\n  quant_modifiers:\n    AutoRoundModifier:\n      iters: 4\n      lr: 0.01\n      batch_size: 5\n      ignore: [",
                  ignore, "]\n", more, "      config_groups:\n        group_0: {targets: [Linear], weights: {num_bits: ", bits,
                  ", type: int, symmetric: true, strategy: group, group_size: 64}}\n");
}

}  // namespace

/// What a recipe's `calibench:` section asks of AutoRound, through whole runs.
class TestTuningOptions : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void init() { dir_ = std::make_unique<QTemporaryDir>(); }

    void blocks_are_tuned_together_data();
    void blocks_are_tuned_together();
    void goes_on_between_groups_of_blocks();
    void takes_over_groups_of_blocks();
    void a_cache_is_each_blocks_own();
    void the_last_block_is_tuned_for_its_tokens();
    void the_head_is_tuned_on_its_logits_data();
    void the_head_is_tuned_on_its_logits();
    void static_ranges_are_tuned();
    void sign_round_v2_starts_closer();
    void options_survive_the_export();
    void idle_options_are_told();

private:
    [[nodiscard]] RunConfig config(const std::string& recipe_yaml, const fs::path& model = llama, const char* name = "out") const {
        RunConfig config;
        config.model_dir = model;
        config.dataset = demo / "shakespeare.txt";
        config.recipe_yaml = recipe_yaml;
        config.output_dir = fs::path(dir_->path().toStdString()) / name;
        config.num_samples = 5;
        config.seq_len = 48;
        config.device = "cpu";
        config.dtype = "float32";
        config.threads = 1;
        return config;
    }
    [[nodiscard]] static Recorder run(const RunConfig& config) {
        Recorder recorder;
        RunControl control;
        run_calibration(config, recorder, control);
        return recorder;
    }
    [[nodiscard]] static std::vector<double> losses_of(const Recorder& recorder, int64_t block) {
        std::vector<double> losses;
        for (const LossRecorded& loss : recorder.all<LossRecorded>())
            if (loss.block == block) losses.push_back(loss.loss_mse);
        return losses;
    }

    std::unique_ptr<QTemporaryDir> dir_;
};

void TestTuningOptions::blocks_are_tuned_together_data() {
    QTest::addColumn<int>("nblocks");
    QTest::addColumn<QString>("model");
    QTest::newRow("2") << 2 << QString::fromStdString(llama.string());
    QTest::newRow("3 and the rest") << 3 << QString::fromStdString(llama.string());
    QTest::newRow("more than there are") << 9 << QString::fromStdString(llama.string());
    QTest::newRow("experts") << 2 << QString::fromStdString(moe.string());
}

void TestTuningOptions::blocks_are_tuned_together() {
    QFETCH(int, nblocks);
    QFETCH(QString, model);
    const RunConfig run_config = config(recipe(concat("nblocks: ", nblocks)), model.toStdString());
    Recorder recorder;
    RunControl control;
    RunReporter reporter(recorder, control);
    RunPlan plan = prepare_run(run_config);
    CalibrationPipeline pipeline(plan, reporter);
    const RunSummary summary = pipeline.run();
    QVERIFY(summary.mean_best_loss_mse < summary.mean_initial_loss_mse);

    const int64_t count = plan.summary.num_blocks;
    std::vector<int64_t> finished;
    for (const BlockFinished& block : recorder.all<BlockFinished>()) finished.push_back(block.block);
    std::vector<int64_t> all(static_cast<size_t>(count));
    std::iota(all.begin(), all.end(), 0);
    QCOMPARE(finished, all);
    QCOMPARE(recorder.all<BlockStarted>().size(), size_t(count));
    for (int64_t block = 0; block < count; ++block) QCOMPARE(losses_of(recorder, block).size(), size_t(block % nblocks == 0 ? 4 : 0));
    for (const ModuleQuantized& module : recorder.all<ModuleQuantized>()) QVERIFY(module.module.starts_with(block_name(module.block) + "."));
    const std::vector<Progress> progress = recorder.all<Progress>();
    QVERIFY2(progress.back().fraction > 0.99, qPrintable(QString::number(progress.back().fraction)));

    const at::Tensor ids = at::tensor(plan.samples.input_ids).view({plan.samples.num_samples, plan.samples.seq_len});
    const at::Tensor in_memory = plan.model->logits(pipeline.hidden().quantized);
    QVERIFY(at::equal(in_memory, reopened_logits(run_config.output_dir, ids, plan.model->options(), plan.batch_size)));
}

void TestTuningOptions::goes_on_between_groups_of_blocks() {
    const RunConfig whole = config(recipe("nblocks: 2"), llama, "whole");
    (void)run(whole);
    RunConfig stopped = config(recipe("nblocks: 2"), llama, "stopped");
    stopped.run_dir = fs::path(dir_->path().toStdString()) / "run";
    {
        Recorder recorder;
        RunControl control;
        recorder.react = [&](const RunEvent& event) {  // the third block is told of, the fourth is not yet
            if (const auto* block = std::get_if<BlockFinished>(&event); block && block->block == 2) control.request_cancel();
        };
        QVERIFY_EXCEPTION_THROWN(run_calibration(stopped, recorder, control), Cancelled);
    }
    stopped.resume = true;
    const Recorder rest = run(stopped);
    QCOMPARE(rest.all<RunStarted>().front().first_block, int64_t(2));
    QCOMPARE(read_bytes(stopped.output_dir / "model.safetensors"), read_bytes(whole.output_dir / "model.safetensors"));
}

void TestTuningOptions::takes_over_groups_of_blocks() {
    RunConfig before = config(recipe("nblocks: 2"), llama, "before");
    before.run_dir = fs::path(dir_->path().toStdString()) / "run";
    (void)run(before);
    RunConfig after = config(recipe("nblocks: 2"), llama, "after");
    after.reuse = before.run_dir;
    QCOMPARE(run(after).all<RunStarted>().front().reused_blocks, int64_t(4));
    QCOMPARE(read_bytes(after.output_dir / "model.safetensors"), read_bytes(before.output_dir / "model.safetensors"));
    // Another scheme in block 3, and block 2 was tuned with it.
    after = config(recipe("nblocks: 2", 3, "lm_head, 're:.*layers.3.mlp.*'"), llama, "other");
    after.reuse = before.run_dir;
    QCOMPARE(run(after).all<RunStarted>().front().reused_blocks, int64_t(2));
}

void TestTuningOptions::a_cache_is_each_blocks_own() {
    try {
        (void)run(config(recipe("nblocks: 2", 4, "lm_head", "      kv_cache_scheme: {num_bits: 8, type: float, strategy: tensor, dynamic: false}\n")));
        QFAIL("not refused");
    } catch (const InputError& error) {
        QVERIFY2(std::string(error.what()).find("remove nblocks or kv_cache_scheme") != std::string::npos, error.what());
    }
}

void TestTuningOptions::the_last_block_is_tuned_for_its_tokens() {
    const Recorder plain = run(config(recipe(""), llama, "plain"));
    const Recorder tokens = run(config(recipe("enable_lfq: true"), llama, "tokens"));
    QCOMPARE(losses_of(tokens, 2), losses_of(plain, 2));
    const std::vector<double> losses = losses_of(tokens, 3);
    QCOMPARE(losses.size(), size_t(4));
    QVERIFY2(losses.front() > 1 && losses.front() < std::log(2048.0), qPrintable(QString::number(losses.front())));  // nats of 2048 tokens
    QVERIFY(*std::min_element(losses.begin(), losses.end()) < losses.front());
    // A mean over the blocks would mix two kinds of numbers.
    const RunSummary summary = std::get<RunFinished>(tokens.events.back()).summary;
    QVERIFY(summary.mean_best_loss_mse < 0.5 && summary.mean_best_loss_mse > 0);
}

void TestTuningOptions::the_head_is_tuned_on_its_logits_data() {
    QTest::addColumn<QString>("model");
    QTest::newRow("own weight") << QString::fromStdString(llama.string());
    QTest::newRow("tied to the embedding") << QString::fromStdString(moe.string());
}

void TestTuningOptions::the_head_is_tuned_on_its_logits() {
    QFETCH(QString, model);
    const RunConfig run_config = config(recipe("", 2, "'re:.*layers.*'"), model.toStdString());
    Recorder recorder;
    RunControl control;
    RunReporter reporter(recorder, control);
    RunPlan plan = prepare_run(run_config);
    CalibrationPipeline pipeline(plan, reporter);
    (void)pipeline.run();
    const std::vector<double> losses = losses_of(recorder, -1);
    QCOMPARE(losses.size(), size_t(4));
    QVERIFY(losses.back() < 0.98 * losses.front());
    QCOMPARE(recorder.all<ModuleQuantized>().size(), size_t(1));

    const at::Tensor ids = at::tensor(plan.samples.input_ids).view({plan.samples.num_samples, plan.samples.seq_len});
    const at::Tensor quantized = reopened_logits(run_config.output_dir, ids, plan.model->options(), plan.batch_size);
    QVERIFY(at::equal(plan.model->logits(pipeline.hidden().quantized), quantized));
    // Its first loss is that of rounding to nearest, the stored head's is the best one, over all positions but each sample's last.
    const at::Tensor exact = reopened_logits(model.toStdString(), ids, plan.model->options(), plan.batch_size);
    const double stored = (quantized - exact).slice(1, 0, -1).square().mean().item<double>();
    const double best = *std::min_element(losses.begin(), losses.end());
    QVERIFY2(std::abs(stored - best) < 0.02 * best, qPrintable(QString("%1, not %2").arg(stored).arg(best)));
}

void TestTuningOptions::static_ranges_are_tuned() {
    const auto fp8 = [](const char* section) {
        return concat("calibench: {", section, "}\nquant_stage: {quant_modifiers: {AutoRoundModifier: {iters: 6, lr: 0.02, batch_size: 5, ignore: [lm_head], scheme: FP8}}}\n");
    };
    const RunConfig tuned_config = config(fp8("minmax_lr: 0.02"), llama, "tuned");
    Recorder recorder;
    RunControl control;
    RunReporter reporter(recorder, control);
    RunPlan plan = prepare_run(tuned_config);
    CalibrationPipeline pipeline(plan, reporter);
    (void)pipeline.run();
    const RunConfig observed_config = config(fp8("enable_minmax_tuning: false"), llama, "observed");
    (void)run(observed_config);

    const Checkpoint tuned(tuned_config.output_dir), observed(observed_config.output_dir);
    int cut = 0;
    for (const std::string& name : tuned.names()) {
        if (!name.ends_with(".input_scale")) continue;
        const float scale = tuned.tensor(name).item<float>();
        if (name.starts_with("model.layers.0.")) {  // later blocks see other inputs
            QVERIFY2(scale <= observed.tensor(name).item<float>(), name.c_str());
            cut += scale < observed.tensor(name).item<float>() ? 1 : 0;
        }
        if (!name.ends_with("q_proj.input_scale")) continue;
        for (const char* other : {"k_proj", "v_proj"})
            QCOMPARE(tuned.tensor(concat(name.substr(0, name.size() - std::strlen("q_proj.input_scale")), other, ".input_scale")).item<float>(), scale);
    }
    QVERIFY2(cut > 0, "no range was cut");
    const at::Tensor ids = at::tensor(plan.samples.input_ids).view({plan.samples.num_samples, plan.samples.seq_len});
    QVERIFY(at::equal(plan.model->logits(pipeline.hidden().quantized), reopened_logits(tuned_config.output_dir, ids, plan.model->options(), plan.batch_size)));
}

void TestTuningOptions::sign_round_v2_starts_closer() {
    const Recorder plain = run(config(recipe("", 4), llama, "plain"));
    const Recorder second = run(config(recipe("enable_alg_ext: true", 4), llama, "second"));
    const std::vector<double> first_losses = losses_of(plain, 0), second_losses = losses_of(second, 0);
    QVERIFY2(second_losses.front() < 0.95 * first_losses.front(), qPrintable(QString("%1 after %2").arg(second_losses.front()).arg(first_losses.front())));
}

void TestTuningOptions::options_survive_the_export() {
    const RunConfig run_config = config(recipe("nblocks: 2, enable_alg_ext: true, enable_lfq: true"));
    (void)run(run_config);
    const ParsedRecipe exported = parse_recipe(read_bytes(run_config.output_dir / "recipe.yaml"));
    QVERIFY(exported.recipe && exported.diagnostics.empty());
    const auto& settings = std::get<AutoRoundSettings>(exported.recipe->modifiers.front().settings);
    QVERIFY(settings.nblocks == 2 && settings.enable_alg_ext && settings.enable_lfq);
}

void TestTuningOptions::idle_options_are_told() {
    const auto warnings = [&](std::string text) {
        RunConfig run_config = config(std::move(text));
        run_config.output_dir.clear();
        return list_names(prepare_run(run_config).warnings);
    };
    QCOMPARE(warnings(recipe("enable_alg_ext: true, enable_lfq: true")), std::string());
    std::string asymmetric = recipe("enable_alg_ext: true");
    asymmetric.replace(asymmetric.find("symmetric: true"), 15, "symmetric: false");
    QVERIFY(warnings(asymmetric).find("SignRoundV2 is for symmetric integers") != std::string::npos);
    QVERIFY(warnings(recipe("enable_lfq: true", 4, "lm_head, 're:.*layers.3.*'")).find("enable_lfq changes nothing") != std::string::npos);
    const auto tells_of_gap = [&](const char* section, int bits) {
        return warnings(recipe(section, bits)).find("dynamic_max_gap changes nothing") != std::string::npos;
    };
    QVERIFY(!tells_of_gap("dynamic_max_gap: 3", 4));
    QVERIFY(!tells_of_gap("dynamic_max_gap: 3, effort: quick", 3));
    QVERIFY(tells_of_gap("dynamic_max_gap: 3, effort: quick", 4));
    QVERIFY(tells_of_gap("dynamic_max_gap: 3, not_use_best_mse: true", 3));
}

QTEST_GUILESS_MAIN(TestTuningOptions)
#include "tst_tuning_options.moc"
