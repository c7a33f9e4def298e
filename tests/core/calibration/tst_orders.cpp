#include <chrono>
#include <filesystem>
#include <future>
#include <map>
#include <thread>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <QTemporaryDir>
#include <QTest>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/calibration/calibration_pipeline.h"
#include "core/calibration/run.h"
#include "tests/core/calibration/recorder.h"
#include "tests/core/calibration/reopened_model.h"

using namespace calibench;
using testing::read_bytes;
using testing::Recorder;
using testing::reopened_logits;
namespace fs = std::filesystem;

namespace {

const fs::path demo = fs::path(CALIBENCH_RESOURCES) / "demo";
const fs::path llama = demo / "tiny-llama-shakespeare";
const fs::path moe = demo / "tiny-qwen3-moe-shakespeare";

/// W4 everywhere; every batch holds all samples, so that losses can be compared.
constexpr const char* tuned_w4 = R"(quant_stage:
  quant_modifiers:
    AutoRoundModifier:
      iters: 4
      batch_size: 4
      ignore: [lm_head]
      config_groups:
        group_0: {targets: [Linear], weights: {num_bits: 4, type: int, symmetric: true, strategy: group, group_size: 64}}
)";
constexpr const char* tuned_w2 = R"(quant_stage:
  quant_modifiers:
    AutoRoundModifier:
      iters: 4
      batch_size: 4
      ignore: [lm_head]
      config_groups:
        group_0: {targets: [Linear], weights: {num_bits: 2, type: int, symmetric: true, strategy: group, group_size: 64}}
)";
constexpr const char* tuned_w8 = R"(quant_stage:
  quant_modifiers:
    AutoRoundModifier:
      iters: 4
      batch_size: 4
      ignore: [lm_head]
      config_groups:
        group_0: {targets: [Linear], weights: {num_bits: 8, type: int, symmetric: false, strategy: channel}}
)";
/// As an editor writes it: all as before, but for block 1.
constexpr const char* tuned_w4_and_w8_in_block_1 = R"(# what the user wrote stays
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
constexpr const char* tuned_w4_without_q_proj = R"(quant_stage:
  quant_modifiers:
    AutoRoundModifier:
      iters: 4
      batch_size: 4
      ignore: [lm_head, 're:.*q_proj$']
      config_groups:
        group_0: {targets: [Linear], weights: {num_bits: 4, type: int, symmetric: true, strategy: group, group_size: 64}}
)";
constexpr const char* nearest_w8 = R"(quant_stage:
  quant_modifiers:
    QuantizationModifier: {targets: [Linear], scheme: W8A16, ignore: [lm_head]}
)";
constexpr const char* nearest_w4 = R"(quant_stage:
  quant_modifiers:
    QuantizationModifier: {targets: [Linear], scheme: W4A16, ignore: [lm_head]}
)";
/// Its observers have to see the inputs.
constexpr const char* static_w8a8 = R"(quant_stage:
  quant_modifiers:
    QuantizationModifier:
      ignore: [lm_head]
      config_groups:
        group_0:
          targets: [Linear]
          weights: {num_bits: 8, type: int, symmetric: true, strategy: channel, observer: imatrix_mse}
          input_activations: {num_bits: 8, type: int, symmetric: true, strategy: tensor, dynamic: false, observer: static_minmax}
)";
constexpr const char* attention_only = R"(quant_stage:
  quant_modifiers:
    QuantizationModifier:
      config_groups:
        group_0: {targets: ['re:.*layers\.0\.self_attn\..*_proj$'], weights: {num_bits: 8, type: int, symmetric: true, strategy: channel}}
)";

BlockOrder redo(std::optional<int64_t> iters = {}, const char* recipe = "", BlockOrder::Keep keep = BlockOrder::Keep::Better) {
    BlockOrder order;
    order.iters = iters;
    order.recipe_yaml = recipe;
    order.keep = keep;
    return order;
}

BlockOrder finish() {
    BlockOrder order;
    order.action = BlockOrder::Action::Finish;
    return order;
}

}  // namespace

/// What a run makes of orders that come while it works.
class OrdersTest : public QObject {
    Q_OBJECT

    std::unique_ptr<QTemporaryDir> dir_;
    std::unique_ptr<RunControl> control_;
    Recorder recorder_;

    [[nodiscard]] fs::path path(const std::string& name) const { return fs::path(dir_->path().toStdString()) / name; }

    [[nodiscard]] RunConfig config(const fs::path& model, const char* recipe) const {
        RunConfig config;
        config.model_dir = model;
        config.dataset = demo / "shakespeare.txt";
        config.recipe_yaml = recipe;
        config.output_dir = path("out");
        config.num_samples = 4;
        config.seq_len = 40;
        config.device = "cpu";
        config.dtype = "float32";
        config.threads = 1;
        return config;
    }

    [[nodiscard]] RunConfig with_output(RunConfig config, const std::string& name) const {
        config.output_dir = path(name);
        return config;
    }

    /// Gives `order` once, when block 1 has told the loss of `iteration` in its first attempt.
    void order_at(int64_t iteration, const BlockOrder& order) {
        recorder_.react = [this, iteration, order, given = false](const RunEvent& event) mutable {
            const auto* loss = std::get_if<LossRecorded>(&event);
            if (given || !loss || loss->block != 1 || loss->iteration != iteration) return;
            given = true;
            control_->order(order);
        };
    }

    /// The exported tensors; the listener is as it was set.
    std::string run(const RunConfig& config) {
        recorder_.events.clear();
        run_calibration(config, recorder_, *control_);
        return read_bytes(config.output_dir / "model.safetensors");
    }
    /// The same without any order.
    std::string run_undisturbed(RunConfig config) {
        config.output_dir = path("undisturbed");
        Recorder recorder;
        RunControl control;
        run_calibration(config, recorder, control);
        return read_bytes(config.output_dir / "model.safetensors");
    }

    [[nodiscard]] BlockFinished finished(int64_t block) const {
        for (const auto& outcome : recorder_.all<BlockFinished>())
            if (outcome.block == block) return outcome;
        return {};
    }
    [[nodiscard]] std::vector<double> losses(int64_t block, int64_t attempt) const {
        std::vector<double> losses;
        for (const auto& loss : recorder_.all<LossRecorded>())
            if (loss.block == block && loss.attempt == attempt) losses.push_back(loss.loss_mse);
        return losses;
    }
    void verify_progress_never_falls() const {
        double fraction = 0;
        for (const auto& progress : recorder_.all<Progress>()) {
            QVERIFY(progress.fraction >= fraction);
            fraction = progress.fraction;
        }
        QCOMPARE(fraction, 1.0);
    }

private Q_SLOTS:
    void initTestCase() { at::set_num_threads(1); }
    void init() {
        dir_ = std::make_unique<QTemporaryDir>();
        control_ = std::make_unique<RunControl>();
        recorder_ = {};
    }

    void finish_keeps_the_best_so_far() {
        RunConfig all = config(llama, tuned_w4);
        all.iters = 12;
        all.batch_size = 1;  // each batch another sample: the best iterate is hardly the last
        std::string undisturbed;
        int64_t best = 11;
        for (uint64_t seed = 0; seed < 8 && best == 11; ++seed) {
            all.seed = seed;
            all.output_dir = path("undisturbed" + std::to_string(seed));
            undisturbed = run(all);
            best = finished(3).best_iteration;
        }
        QVERIFY2(best < 11, "nothing would be cut off");

        all.output_dir = path("finished");
        recorder_.react = [&](const RunEvent& event) {
            const auto* loss = std::get_if<LossRecorded>(&event);
            if (loss && loss->block == 3 && loss->iteration == best) control_->order(finish());
        };
        const std::string bytes = run(all);
        QVERIFY(!bytes.empty());
        QVERIFY(bytes == undisturbed);
        QCOMPARE(losses(3, 0).size(), size_t(best + 1));
        QCOMPARE(finished(3).attempts, 1);
        verify_progress_never_falls();
    }

    void finish_before_tuning_makes_one_iteration() {
        recorder_.react = [this](const RunEvent& event) {
            const auto* started = std::get_if<BlockStarted>(&event);
            if (started && started->block == 1) control_->order(finish());
        };
        (void)run(config(llama, tuned_w4));
        QCOMPARE(losses(1, 0).size(), 1u);
        QCOMPARE(losses(2, 0).size(), 4u);
        verify_progress_never_falls();
    }

    void the_same_again_keeps_the_first() {
        order_at(3, redo());
        const RunConfig config = this->config(llama, tuned_w4);
        const std::string bytes = run(config);
        QVERIFY(bytes == run_undisturbed(config));
        QCOMPARE(losses(1, 1), losses(1, 0));
        QCOMPARE(finished(1).attempts, 2);
        QCOMPARE(finished(1).kept_attempt, 0);
        const auto redone = recorder_.all<BlockRedone>();
        QCOMPARE(redone.size(), 1u);
        QCOMPARE(redone[0].attempt, 1);
        QCOMPARE(QString::fromStdString(redone[0].changes), QString("the same settings"));
        QVERIFY(recorder_.all<RecipeChanged>().empty());
        verify_progress_never_falls();
    }

    void more_iterations_are_kept_when_better() {
        order_at(1, redo(16));
        (void)run(config(llama, tuned_w4));
        QCOMPARE(losses(1, 0).size(), 2u);  // the first attempt ended at once
        const auto second = losses(1, 1);
        QCOMPARE(second.size(), 16u);
        const BlockFinished outcome = finished(1);
        QCOMPARE(outcome.kept_attempt, 1);
        QCOMPARE(outcome.best_loss_mse, *std::min_element(second.begin(), second.end()));
        QVERIFY(outcome.best_loss_mse < losses(1, 0).back());
        QCOMPARE(losses(2, 0).size(), 4u);  // for this block only
        const auto redone = recorder_.all<BlockRedone>();
        QCOMPARE(redone.size(), 1u);
        QCOMPARE(redone[0].iters, 16);
        QCOMPARE(redone[0].lr, 1.0 / 16);
        QCOMPARE(QString::fromStdString(redone[0].changes), QString("iters 4 -> 16, lr 0.25 -> 0.0625"));
        verify_progress_never_falls();
    }

    void the_newest_is_kept_when_asked_for_data() {
        QTest::addColumn<bool>("newest");
        QTest::addRow("better") << false;
        QTest::addRow("newest") << true;
    }
    void the_newest_is_kept_when_asked_for() {
        QFETCH(bool, newest);
        order_at(3, redo({}, tuned_w2, newest ? BlockOrder::Keep::Newest : BlockOrder::Keep::Better));
        const RunConfig config = this->config(llama, tuned_w4);
        const std::string bytes = run(config);
        const BlockFinished outcome = finished(1);
        QCOMPARE(outcome.attempts, 2);
        QCOMPARE(outcome.kept_attempt, newest ? 1 : 0);
        const auto& kept = losses(1, newest ? 1 : 0);
        QCOMPARE(outcome.best_loss_mse, *std::min_element(kept.begin(), kept.end()));
        const auto changes = recorder_.all<RecipeChanged>();
        QCOMPARE(changes.size(), newest ? 1u : 2u);
        QCOMPARE(bytes == run_undisturbed(config), !newest);
        std::map<std::string, std::string> scheme;  // as last told
        for (const auto& module : recorder_.all<ModuleQuantized>()) scheme[module.module] = module.scheme;
        QVERIFY(QString::fromStdString(scheme["model.layers.1.mlp.up_proj"]).contains(newest ? "W2" : "W4"));
        if (!newest) {
            QCOMPARE(QString::fromStdString(changes.back().recipe_yaml), QString(tuned_w4));
            QCOMPARE(read_bytes(config.output_dir / "recipe.yaml"), read_bytes(path("undisturbed") / "recipe.yaml"));
            QCOMPARE(read_bytes(config.output_dir / "config.json"), read_bytes(path("undisturbed") / "config.json"));
        }
    }

    void a_lower_rate_is_obeyed() {
        BlockOrder order = redo();
        order.lr = 0.01;
        order.minmax_lr = 0.002;
        order_at(0, order);
        (void)run(config(llama, tuned_w4));
        const auto redone = recorder_.all<BlockRedone>();
        QCOMPARE(redone.size(), 1u);
        QCOMPARE(redone[0].lr, 0.01);
        QCOMPARE(QString::fromStdString(redone[0].changes), QString("lr 0.25 -> 0.01, minmax_lr 0.25 -> 0.002"));
        QCOMPARE(losses(1, 1).size(), 4u);
        QCOMPARE(losses(1, 1)[0], losses(1, 0)[0]);
        QVERIFY(losses(1, 1)[1] != losses(2, 0)[1]);
    }

    void what_comes_before_tuning_is_for_the_first_attempt() {
        recorder_.react = [this](const RunEvent& event) {
            const auto* started = std::get_if<BlockStarted>(&event);
            if (started && started->block == 1) control_->order(redo(7));
        };
        (void)run(config(llama, tuned_w4));
        QCOMPARE(losses(1, 0).size(), 7u);
        QVERIFY(losses(1, 1).empty());
        QCOMPARE(finished(1).attempts, 1);
        verify_progress_never_falls();
    }

    void a_mixture_reads_back_data() {
        QTest::addColumn<QString>("model");
        QTest::addColumn<QString>("recipe");
        QTest::addColumn<QString>("ordered");
        QTest::addColumn<QString>("scheme_of_up");  ///< in block 1
        QTest::addColumn<QString>("scheme_of_q");
        const auto add = [](const char* name, const fs::path& model, const char* recipe, const char* ordered, const char* up, const char* q) {
            QTest::addRow("%s, %s", name, model.filename().c_str()) << QString::fromStdString(model.string()) << QString(recipe) << QString(ordered) << QString(up) << QString(q);
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
        const RunConfig config = this->config(model.toStdString(), recipe.toUtf8().constData());
        recorder_.react = [this, ordered, given = false](const RunEvent& event) mutable {
            const auto* progress = std::get_if<Progress>(&event);
            if (given || !progress || progress->block != 1 || (progress->stage != "tuning" && progress->stage != "propagating")) return;
            given = true;
            control_->order(redo({}, ordered.toUtf8().constData(), BlockOrder::Keep::Newest));
        };
        RunReporter reporter(recorder_, *control_);
        RunPlan plan = prepare_run(config);
        CalibrationPipeline pipeline(plan, reporter);
        const RunSummary summary = pipeline.run();
        QCOMPARE(recorder_.all<BlockRedone>().size(), 1u);
        QCOMPARE(finished(1).kept_attempt, recipe == attention_only ? 0 : 1);  // a block that was left alone had no loss to compare

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
        if (ordered == tuned_w4_and_w8_in_block_1) QCOMPARE(QString::fromStdString(plan.config.recipe_yaml), ordered);
        verify_progress_never_falls();
    }

    void rounded_blocks_are_compared_by_their_outputs() {
        order_at(0, redo({}, tuned_w2));
        const RunConfig config = this->config(llama, nearest_w8);
        const std::string bytes = run(config);
        QCOMPARE(losses(1, 0).size(), 1u);
        QCOMPARE(losses(1, 1).size(), 4u);
        QCOMPARE(finished(1).kept_attempt, 0);  // 8 bits beat 2
        QCOMPARE(finished(1).best_loss_mse, losses(1, 0)[0]);
        QVERIFY(bytes == run_undisturbed(config));
        verify_progress_never_falls();
    }

    void no_iterations_mean_rounding_to_nearest() {
        order_at(0, redo(0, "", BlockOrder::Keep::Newest));
        (void)run(config(llama, tuned_w4));
        QCOMPARE(losses(1, 1).size(), 1u);
        QCOMPARE(finished(1).kept_attempt, 1);
    }

    void holds_at_the_end_of_a_block() {
        control_->hold_at_block_end(true);
        int pauses = 0;
        recorder_.react = [&](const RunEvent& event) {
            if (!std::holds_alternative<Paused>(event)) return;
            const auto last = recorder_.all<LossRecorded>().back();
            QVERIFY(last.iteration == 3 || last.attempt == 1);
            QCOMPARE(recorder_.all<BlockFinished>().size(), size_t(last.block));  // nothing is stored yet
            ++pauses;
            if (last.block == 1 && last.attempt == 0) control_->order(redo(6));
            else control_->resume();
        };
        const RunConfig config = this->config(llama, tuned_w4);
        (void)run(config);
        QCOMPARE(pauses, 5);
        QCOMPARE(losses(1, 1).size(), 6u);
        QCOMPARE(recorder_.all<Resumed>().size(), 5u);
        verify_progress_never_falls();
    }

    void holding_changes_no_byte() {
        control_->hold_at_block_end(true);
        recorder_.react = [&](const RunEvent& event) {
            if (std::holds_alternative<Paused>(event)) control_->resume();
        };
        const RunConfig config = this->config(llama, nearest_w8);
        const std::string bytes = run(config);
        QCOMPARE(recorder_.all<Paused>().size(), 4u);
        QVERIFY(bytes == run_undisturbed(config));
    }

    void orders_wake_a_paused_run() {
        recorder_.react = [&](const RunEvent& event) {
            if (const auto* loss = std::get_if<LossRecorded>(&event); loss && loss->block == 1 && loss->attempt == 0 && loss->iteration == 1) control_->pause();
            if (std::holds_alternative<Paused>(event)) control_->order(redo(5));
        };
        (void)run(config(llama, tuned_w4));
        QCOMPARE(recorder_.all<Paused>().size(), 1u);
        QCOMPARE(recorder_.all<Resumed>().size(), 1u);
        QCOMPARE(losses(1, 0).size(), 2u);  // not one iteration more
        QCOMPARE(losses(1, 1).size(), 5u);
    }

    /// From another thread, as a window does it.
    void a_held_run_can_be_stopped() {
        control_->hold_at_block_end(true);
        std::promise<void> paused;
        recorder_.react = [&](const RunEvent& event) {
            if (std::holds_alternative<Paused>(event)) paused.set_value();
        };
        std::thread stopper([&] {
            paused.get_future().wait();
            control_->request_cancel();
        });
        QVERIFY_EXCEPTION_THROWN(run(config(llama, tuned_w4)), Cancelled);
        stopper.join();
        QVERIFY(std::holds_alternative<RunStopped>(recorder_.events.back()));
        QCOMPARE(std::get<RunStopped>(recorder_.events.back()).blocks_done, 0);
        QVERIFY(!fs::exists(path("out")));
    }

    void orders_that_cannot_be_obeyed_are_told_data() {
        QTest::addColumn<QString>("recipe");
        QTest::addColumn<int>("iters");
        QTest::addColumn<double>("lr");
        QTest::addColumn<QString>("why");
        QTest::addRow("no YAML") << "quant_stage: [" << 5 << 0.1 << "recipe, line";
        QTest::addRow("does not fit the model") << QString(tuned_w4).replace("group_size: 64", "group_size: 96") << 5 << 0.1 << "96";
        QTest::addRow("negative iterations") << "" << -1 << 0.1 << "negative";
        QTest::addRow("a rate of zero") << "" << 5 << 0.0 << "above 0";
    }
    void orders_that_cannot_be_obeyed_are_told() {
        QFETCH(QString, recipe);
        QFETCH(int, iters);
        QFETCH(double, lr);
        QFETCH(QString, why);
        BlockOrder order = redo(iters, recipe.toUtf8().constData());
        order.lr = lr;
        recorder_.react = [&](const RunEvent& event) {
            if (const auto* loss = std::get_if<LossRecorded>(&event); loss && loss->block == 1 && loss->iteration == 1) control_->order(order);
            if (std::holds_alternative<Paused>(event)) control_->resume();
        };
        const RunConfig config = this->config(llama, tuned_w4);
        const std::string bytes = run(config);
        QCOMPARE(recorder_.all<Paused>().size(), 1u);
        std::vector<Warning> refusals;
        for (const auto& warning : recorder_.all<Warning>())
            if (warning.message.find("not obeyed") != std::string::npos) refusals.push_back(warning);
        QCOMPARE(refusals.size(), 1u);
        QCOMPARE(refusals[0].module, "model.layers.1");
        QVERIFY2(QString::fromStdString(refusals[0].message).contains(why), refusals[0].message.c_str());
        QVERIFY(recorder_.all<BlockRedone>().empty());
        QVERIFY(bytes == run_undisturbed(config));
    }

    void a_rounded_block_has_nothing_to_iterate() {
        order_at(0, redo(5));
        const auto order = recorder_.react;
        recorder_.react = [&](const RunEvent& event) {
            order(event);
            if (std::holds_alternative<Paused>(event)) control_->resume();
        };
        (void)run(config(llama, nearest_w8));
        QCOMPARE(recorder_.all<Paused>().size(), 1u);
        QVERIFY(QString::fromStdString(recorder_.all<Warning>().back().message).contains("nothing to iterate"));

        order_at(0, redo(5, tuned_w8));  // a recipe may bring something
        (void)run(with_output(config(llama, nearest_w8), "tuned"));
        QCOMPARE(losses(1, 1).size(), 5u);
        order_at(0, redo(5, nearest_w4));  // or nothing
        (void)run(with_output(config(llama, nearest_w8), "rounded"));
        QCOMPARE(losses(1, 1).size(), 1u);
    }

    void an_order_between_blocks_comes_too_late() {
        recorder_.react = [this](const RunEvent& event) {
            const auto* finished = std::get_if<BlockFinished>(&event);
            if (finished && finished->block == 1) control_->order(redo(9));
        };
        const RunConfig config = this->config(llama, tuned_w4);
        const std::string bytes = run(config);
        QVERIFY(recorder_.all<BlockRedone>().empty());
        QVERIFY(QString::fromStdString(recorder_.all<Warning>().back().message).contains("too late"));
        QVERIFY(bytes == run_undisturbed(config));
    }

    void a_failed_attempt_is_dropped() {
        BlockOrder order = redo({}, "", BlockOrder::Keep::Newest);
        order.lr = 1e300;  // infinite in float32
        recorder_.react = [&, given = false](const RunEvent& event) mutable {
            if (const auto* loss = std::get_if<LossRecorded>(&event); !given && loss && loss->block == 1 && loss->iteration == 3) {
                given = true;
                control_->order(order);
            }
            if (std::holds_alternative<Paused>(event)) control_->resume();
        };
        const RunConfig config = this->config(llama, tuned_w4);
        const std::string bytes = run(config);
        QCOMPARE(finished(1).kept_attempt, 0);
        const auto warnings = recorder_.all<Warning>();
        QVERIFY(std::any_of(warnings.begin(), warnings.end(), [](const Warning& warning) {
            return warning.kind == Warning::Kind::NotFinite && warning.message.find("Attempt 2 is dropped") == 0;
        }));
        QVERIFY(bytes == run_undisturbed(config));
        verify_progress_never_falls();
    }

    void a_changed_run_goes_on_after_a_stop() {
        RunConfig config = this->config(llama, tuned_w4);
        order_at(1, redo({}, tuned_w8, BlockOrder::Keep::Newest));
        const std::string whole = run(config);
        const std::string about_whole = read_bytes(config.output_dir / "config.json");

        config.output_dir = path("resumed");
        config.run_dir = path("run");
        order_at(1, redo({}, tuned_w8, BlockOrder::Keep::Newest));
        const auto order = recorder_.react;
        recorder_.react = [&](const RunEvent& event) {
            order(event);
            if (const auto* loss = std::get_if<LossRecorded>(&event); loss && loss->block == 2) control_->request_cancel();
        };
        QVERIFY_EXCEPTION_THROWN(run(config), Cancelled);

        control_ = std::make_unique<RunControl>();
        recorder_.react = nullptr;
        config.resume = true;
        const std::string resumed = run(config);
        QCOMPARE(recorder_.all<RunStarted>().front().first_block, 2);
        QVERIFY(resumed == whole);
        QCOMPARE(read_bytes(config.output_dir / "config.json"), about_whole);
    }

    void ranges_and_counts_fill_in_while_a_block_is_observed() {
        recorder_.react = [](const RunEvent& event) {  // progress is told after a tenth of a second: every batch takes that long
            if (const auto* progress = std::get_if<Progress>(&event); progress && progress->stage == "observing" && progress->block == 1)
                std::this_thread::sleep_for(std::chrono::milliseconds(150));
        };
        RunConfig slow = config(moe, nearest_w8);
        slow.batch_size = 1;
        (void)run(slow);
        std::vector<int64_t> counts;
        for (const auto& counted : recorder_.all<TokensCounted>())
            if (counted.module == "model.layers.1.self_attn.q_proj") counts.push_back(counted.tokens);
        QVERIFY(counts.size() > 2);
        QVERIFY(std::is_sorted(counts.begin(), counts.end()));
        QVERIFY(counts.front() < counts.back());
        QCOMPARE(counts.back(), 4 * 40);
        size_t ranges = 0;
        for (const auto& range : recorder_.all<RangeObserved>()) ranges += range.tap == Tap::Input && range.module == "model.layers.1.self_attn.q_proj";
        QCOMPARE(ranges, counts.size());
    }
};

QTEST_GUILESS_MAIN(OrdersTest)
#include "tst_orders.moc"
