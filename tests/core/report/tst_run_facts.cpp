#include <filesystem>
#include <limits>
#include <memory>

#include <ATen/Parallel.h>
#include <QTemporaryDir>
#include <QTest>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/calibration/run.h"
#include "core/report/run_facts.h"
#include "tests/core/calibration/recorder.h"

using namespace calibench;
using testing::Recorder;
namespace fs = std::filesystem;

/// What a list or a report says of a run, against what the run told.
class TestRunFacts : public QObject {
    Q_OBJECT

    std::unique_ptr<QTemporaryDir> dir_;

    [[nodiscard]] fs::path path(const char* name) const { return fs::path(dir_->path().toStdString()) / name; }
    [[nodiscard]] RunConfig config(const char* model) const {
        const fs::path demo = fs::path(CALIBENCH_RESOURCES) / "demo";
        RunConfig config;
        config.model_dir = demo / model;
        config.dataset = demo / "shakespeare.txt";
        config.output_dir = path("export");
        config.run_dir = path("run");
        config.recipe_yaml = "quant_stage: {quant_modifiers: {AutoRoundModifier: {iters: 4, batch_size: 2, ignore: "
                             "[lm_head, 're:.*gate$'], config_groups: {first: {targets: ['re:.*layers.0.self_attn.*'], weights: {num_bits: 8, "
                             "strategy: channel}}, second: {targets: [Linear], weights: {num_bits: 4, strategy: group, group_size: 32}}}}}}\n";
        config.num_samples = 3;
        config.seq_len = 32;
        config.device = "cpu";
        config.dtype = "float32";
        config.threads = 1;
        return config;
    }
    /// A run of these events, for what no run does at will.
    [[nodiscard]] RunFacts facts_of(const std::vector<RunEvent>& events) const {
        fs::remove_all(path("told"));
        RunConfig config = this->config("tiny-llama-shakespeare");
        config.run_dir = path("told");
        {
            RunDirectory directory(path("told"), config);
            for (const RunEvent& event : events) directory.append(event);
        }
        return facts_of_run(path("told"));
    }

private Q_SLOTS:
    void initTestCase() {
        at::set_num_threads(1);
        QTest::failOnWarning(QRegularExpression(".*"));
    }
    void init() { dir_ = std::make_unique<QTemporaryDir>(); }

    void of_a_real_run_data() {
        QTest::addColumn<QString>("model");
        QTest::newRow("dense") << "tiny-llama-shakespeare";
        QTest::newRow("experts") << "tiny-qwen3-moe-shakespeare";
    }

    void of_a_real_run() {
        QFETCH(QString, model);
        Recorder told;
        RunControl control;
        const RunSummary summary = run_calibration(config(qPrintable(model)), told, control);
        const RunFacts facts = facts_of_run(path("run"));

        QCOMPARE(facts.ending, StoredRun::Ending::Finished);
        QCOMPARE(facts.config.seq_len, 32);
        QVERIFY(std::abs(facts.began - static_cast<int64_t>(::time(nullptr))) < 600);
        QCOMPARE(facts.seconds, summary.seconds);
        QCOMPARE(facts.output_dir, path("export"));
        QCOMPARE(facts.output_bytes, summary.output_bytes);
        QVERIFY(!facts.at_work);
        QCOMPARE(facts.mean_initial_loss_mse, summary.mean_initial_loss_mse);
        QCOMPARE(facts.mean_best_loss_mse, summary.mean_best_loss_mse);
        QCOMPARE(facts.blocks_done, facts.started.num_blocks);
        QCOMPARE(facts.warnings.size(), told.all<Warning>().size());

        QCOMPARE(static_cast<int64_t>(facts.blocks.size()), facts.started.num_blocks);
        for (const auto& block : told.all<BlockFinished>()) {
            const BlockFacts& known = facts.blocks.at(block.block);
            QCOMPARE(known.name, concat("model.layers.", block.block));
            QVERIFY(known.finished);
            QCOMPARE(known.best_loss_mse, block.best_loss_mse);
            QCOMPARE(known.loss_mse.size(), 4u);
            QCOMPARE(known.loss_mse.front(), block.initial_loss_mse);
            QCOMPARE(known.loss_mse.at(static_cast<size_t>(block.best_iteration)), block.best_loss_mse);
        }
        const auto quantized = told.all<ModuleQuantized>();
        QCOMPARE(static_cast<int64_t>(quantized.size()), facts.started.num_quantized_modules);
        const std::map<std::string, ModuleOutcome> modules(facts.modules.begin(), facts.modules.end());
        QCOMPARE(modules.size(), facts.modules.size());
        for (const auto& module : quantized) {
            const ModuleOutcome& known = modules.at(module.module);
            QCOMPARE(known.block, module.block);
            QCOMPARE(known.scheme, module.scheme);
            QCOMPARE(*known.weight_sqnr_db, module.weight_sqnr_db);
            QVERIFY(known.weight_range->min < 0 && known.weight_range->max > 0);
            QVERIFY(known.expert >= 0 || known.input_range);
            QCOMPARE(known.input_range.has_value(), known.tokens.value_or(0) > 0);  // an expert may have seen none
        }
        for (const auto& error : told.all<OutputErrorMeasured>()) QCOMPARE(*modules.at(error.module).local_sqnr_db, error.local_sqnr_db);
        for (const auto& counted : told.all<TokensCounted>()) QCOMPARE(modules.at(counted.module).expert, counted.expert);
        QCOMPARE(facts.modules.front().first, "model.layers.0.self_attn.q_proj");
        QCOMPARE(QString::fromStdString(facts.schemes), QString::fromStdString(concat("W4A16 g32 sym (", quantized.size() - 4, "), W8A16 channel sym (4)")));
    }

    void a_block_that_was_tuned_again() {
        const RunFacts facts = facts_of({RunStarted{.num_blocks = 2}, BlockStarted{0, "model.layers.0"}, LossRecorded{0, 0, 9, true, 0},
                                         BlockRedone{0, 1, 2, 0.1, "iters 1 -> 2"}, LossRecorded{0, 0, 9, true, 1}, LossRecorded{0, 1, 7, true, 1},
                                         BlockRedone{0, 2, 1, 0.1, "iters 2 -> 1"}, LossRecorded{0, 0, 9, true, 2},
                                         ModuleQuantized{0, "model.layers.0.a", "W4 g64 sym", 20}, ModuleQuantized{0, "model.layers.0.b", "W4 g64 sym", 20},
                                         ModuleQuantized{0, "model.layers.0.a", "", 0},
                                         BlockFinished{0, 9, 7, 1, 2.5, 3, 1}, BlockStarted{1, "model.layers.1"}, LossRecorded{1, 0, 5, true, 0},
                                         BlockRedone{1, 1, 2, 0.1, "iters 1 -> 2"}, LossRecorded{1, 0, 6, true, 1}, RunStopped{1}});
        QCOMPARE(facts.blocks.at(0).loss_mse, (std::vector<double>{9, 7}));
        QCOMPARE(facts.blocks.at(1).loss_mse, std::vector<double>{6});
        QVERIFY(!facts.blocks.at(1).finished);
        QCOMPARE(facts.blocks_done, 1);
        QCOMPARE(facts.mean_initial_loss_mse, 9);
        QCOMPARE(facts.mean_best_loss_mse, 7);
        QCOMPARE(facts.modules.at(0).second.scheme, "");
        QVERIFY(!facts.modules.at(0).second.weight_sqnr_db);
        QCOMPARE(*facts.modules.at(1).second.weight_sqnr_db, 20);
    }

    void a_run_that_went_on() {
        const Warning warning{"model.layers.0", "Look at it.", Warning::Kind::Plateau};
        const std::vector<RunEvent> first = {RunStarted{.num_blocks = 3}, warning, BlockStarted{0, "model.layers.0"},
                                             ModuleQuantized{0, "model.layers.0.a", "W8 channel sym", std::numeric_limits<double>::infinity()},
                                             BlockFinished{.block = 0}, BlockStarted{1, "model.layers.1"}, LossRecorded{1, 0, 5, true, 0},
                                             ModuleQuantized{1, "model.layers.1.a", "W4 g64 sym", 12}, Progress{.elapsed_seconds = 40}};
        std::vector<RunEvent> events = first;
        events.push_back(RunFailed{"no room"});
        const RunFacts failed = facts_of(events);
        QCOMPARE(failed.ending, StoredRun::Ending::Failed);
        QCOMPARE(failed.failure, "no room");
        QCOMPARE(failed.seconds, 40);
        QCOMPARE(*failed.modules.at(0).second.weight_sqnr_db, std::numeric_limits<double>::infinity());

        for (const RunEvent& event : std::vector<RunEvent>{RunStarted{.num_blocks = 3, .first_block = 1}, warning, BlockStarted{1, "model.layers.1"}, LossRecorded{1, 0, 4, true, 0}, Progress{.elapsed_seconds = 2}})
            events.push_back(event);
        const RunFacts again = facts_of(events);
        QCOMPARE(again.ending, StoredRun::Ending::Interrupted);
        QCOMPARE(again.failure, "");
        QCOMPARE(again.seconds, 42);
        QCOMPARE(again.warnings.size(), 1u);
        QVERIFY(again.blocks.at(0).finished);
        QCOMPARE(again.blocks.at(1).loss_mse, std::vector<double>{4});
        QCOMPARE(again.modules.at(1).second.scheme, "");

        events.push_back(RunFinished{{.seconds = 3}});
        QCOMPARE(facts_of(events).seconds, 43);
    }

    void its_effort_data() {
        QTest::addColumn<QString>("modifier");
        QTest::addColumn<QString>("asked");
        QTest::addColumn<QString>("effort");
        const QString tuned = "AutoRoundModifier: {targets: [Linear], scheme: W4A16}";
        QTest::newRow("as published") << tuned << "" << "exact";
        QTest::newRow("asked for") << tuned << "quick" << "quick";
        QTest::newRow("nothing is tuned") << "QuantizationModifier: {targets: [Linear], scheme: W4A16}" << "quick" << "";
        QTest::newRow("not a recipe") << "what: [" << "" << "";
    }

    void its_effort() {
        QFETCH(QString, modifier);
        QFETCH(QString, asked);
        QFETCH(QString, effort);
        RunConfig config = this->config("tiny-llama-shakespeare");
        config.recipe_yaml = "quant_stage: {quant_modifiers: {" + modifier.toStdString() + "}}";
        config.effort = asked.toStdString();
        { const RunDirectory directory(path("run"), config); }
        QCOMPARE(QString::fromStdString(facts_of_run(path("run")).effort), effort);
    }

    void a_run_at_work() {
        RunConfig config = this->config("tiny-llama-shakespeare");
        RunDirectory directory(path("run"), config);
        directory.append(RunStarted{.num_blocks = 4});
        QVERIFY(facts_of_run(path("run")).at_work);
        QCOMPARE(facts_of_run(path("run")).started.num_blocks, 4);
    }

    void a_directory_without_a_run() { QVERIFY_THROWS_EXCEPTION(InputError, (void)facts_of_run(path("nowhere"))); }
};

QTEST_GUILESS_MAIN(TestRunFacts)
#include "tst_run_facts.moc"
