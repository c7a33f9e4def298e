#include <filesystem>
#include <memory>

#include <ATen/Parallel.h>
#include <QTemporaryDir>
#include <QTest>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/calibration/reuse_preview.h"
#include "core/calibration/run.h"
#include "core/calibration/run_directory.h"
#include "tests/core/calibration/compare_files.h"
#include "tests/core/calibration/recorder.h"

using namespace calibench;
using testing::Recorder;
namespace fs = std::filesystem;

namespace {

const fs::path demo = fs::path(CALIBENCH_RESOURCES) / "demo";
const std::string llama = "tiny-llama-shakespeare", moe = "tiny-qwen3-moe-shakespeare";

/// W4 tuned; `more` are config groups that go before.
std::string autoround(const std::string& more = {}, int iters = 3) {
    return concat("AutoRoundModifier: {iters: ", iters, ", batch_size: 2, ignore: [lm_head], config_groups: {", more,
                  "group_0: {targets: [Linear], weights: {num_bits: 4, type: int, symmetric: true, strategy: group, group_size: 64}}}}");
}
/// The projections of one block in 8 bits.
std::string in_8_bits(int block) {
    return concat("other: {targets: ['re:.*layers.", block, ".mlp.*_proj$'], weights: {num_bits: 8, type: int, strategy: channel}}, ");
}
const std::string w8a8_static = "QuantizationModifier: {ignore: [lm_head], config_groups: {group_0: {targets: [Linear], "
                                "weights: {num_bits: 8, strategy: channel}, input_activations: {num_bits: 8, symmetric: false, strategy: tensor, observer: static_minmax}}}}";
const std::string w8a8_static_but_last = "QuantizationModifier: {ignore: [lm_head, 're:.*layers.3.*'], config_groups: {group_0: {targets: [Linear], "
                                "weights: {num_bits: 8, strategy: channel}, input_activations: {num_bits: 8, symmetric: false, strategy: tensor, observer: static_minmax}}}}";
const std::string nvfp4_and_cache = "QuantizationModifier: {targets: [Linear], scheme: NVFP4, ignore: [lm_head], "
                                    "kv_cache_scheme: {num_bits: 8, type: float, strategy: tensor, dynamic: false}}";

}  // namespace

class TestReuse : public QObject {
    Q_OBJECT

    std::unique_ptr<QTemporaryDir> dir_;

    [[nodiscard]] fs::path path(const std::string& name) const { return fs::path(dir_->path().toStdString()) / name; }
    /// Writes to NAME and NAME-run.
    [[nodiscard]] RunConfig config(const std::string& model, const std::string& modifier, const std::string& name) const {
        RunConfig config;
        config.model_dir = demo / model;
        config.dataset = demo / "shakespeare.txt";
        config.recipe_yaml = concat("quant_stage:\n  quant_modifiers:\n    ", modifier, "\n");
        config.output_dir = path(name);
        config.run_dir = path(name + "-run");
        config.num_samples = 3;
        config.seq_len = 40;
        config.batch_size = 2;
        config.device = "cpu";
        config.dtype = "float32";
        config.threads = 1;
        return config;
    }
    static Recorder carry_out(const RunConfig& config) {
        Recorder recorder;
        RunControl control;
        run_calibration(config, recorder, control);
        return recorder;
    }
    [[nodiscard]] RunConfig reusing(RunConfig config, const std::string& earlier) const {
        config.reuse = path(earlier + "-run");
        return config;
    }

private Q_SLOTS:
    void initTestCase() {
        at::set_num_threads(1);
        QTest::failOnWarning(QRegularExpression(".*"));
    }
    void init() { dir_ = std::make_unique<QTemporaryDir>(); }

    void gives_the_bytes_of_a_whole_run_data() {
        QTest::addColumn<QString>("model");
        QTest::addColumn<QString>("earlier");
        QTest::addColumn<QString>("now");
        QTest::addColumn<int>("reused");
        QTest::addColumn<QString>("end");
        const auto add = [](const char* name, const std::string& model, const std::string& earlier, const std::string& now, int reused, const char* end) {
            QTest::newRow(name) << QString::fromStdString(model) << QString::fromStdString(earlier) << QString::fromStdString(now) << reused << QString(end);
        };
        add("nothing changed", llama, autoround(), autoround(), 4, "");
        add("block 2 in 8 bits", llama, autoround(), autoround(in_8_bits(2)), 2, "model.layers.2: another scheme for down_proj, gate_proj, up_proj");
        add("another block in 8 bits", llama, autoround(in_8_bits(3)), autoround(in_8_bits(1)), 1, "model.layers.1: another scheme");
        add("more iterations", llama, autoround(), autoround({}, 4), 0, "model.layers.0: other settings to tune");
        add("static inputs, last block left alone", llama, w8a8_static, w8a8_static_but_last, 3, "model.layers.3: another scheme");
        add("NVFP4 and cache", llama, nvfp4_and_cache, nvfp4_and_cache, 4, "");
        add("another cache", llama, nvfp4_and_cache, "QuantizationModifier: {targets: [Linear], scheme: NVFP4, ignore: [lm_head]}", 0, "key/value cache");
        add("experts", moe, autoround(), autoround(in_8_bits(1)), 1, "model.layers.1: another scheme");
    }
    void gives_the_bytes_of_a_whole_run() {
        QFETCH(QString, model);
        QFETCH(QString, earlier);
        QFETCH(QString, now);
        QFETCH(int, reused);
        QFETCH(QString, end);
        carry_out(config(model.toStdString(), earlier.toStdString(), "earlier"));
        const Recorder whole = carry_out(config(model.toStdString(), now.toStdString(), "whole"));
        const RunConfig reusing_it = reusing(config(model.toStdString(), now.toStdString(), "again"), "earlier");
        const ReusePreview preview = preview_reuse(reusing_it);
        const Recorder again = carry_out(reusing_it);

        const RunStarted started = again.all<RunStarted>().front();
        QCOMPARE(preview.num_blocks, started.reused_blocks);
        QCOMPARE(preview.all_blocks, started.num_blocks);
        QCOMPARE(preview.end, started.reuse_end);
        QCOMPARE(started.reused_blocks, reused);
        QVERIFY2(QString::fromStdString(started.reuse_end).contains(end) && started.reuse_end.empty() == end.isEmpty(), started.reuse_end.c_str());
        COMPARE_FILES(path("again"), path("whole"));

        // It tells all that the whole run tells of its modules and losses.
        QCOMPARE(again.all<BlockStarted>().size(), whole.all<BlockStarted>().size());
        QCOMPARE(again.all<ModuleQuantized>().size(), whole.all<ModuleQuantized>().size());
        QCOMPARE(again.all<LossRecorded>().size(), whole.all<LossRecorded>().size());
        const auto finished = again.all<RunFinished>().front().summary, expected = whole.all<RunFinished>().front().summary;
        QCOMPARE(finished.mean_best_loss_mse, expected.mean_best_loss_mse);
        QCOMPARE(finished.output_bytes, expected.output_bytes);
        QCOMPARE(read_run(path("again-run")).ending, StoredRun::Ending::Finished);
    }

    void takes_over_from_a_stopped_run_and_can_be_stopped_itself() {
        const auto stop_before = [&](const RunConfig& config, int64_t block) {
            Recorder recorder;
            RunControl control;
            recorder.react = [&](const RunEvent& event) {
                if (const auto* started = std::get_if<BlockStarted>(&event); started && started->block == block) control.request_cancel();
            };
            QVERIFY_THROWS_EXCEPTION(Cancelled, run_calibration(config, recorder, control));
        };
        stop_before(config(llama, autoround(), "earlier"), 3);
        carry_out(config(llama, autoround(in_8_bits(3)), "whole"));
        RunConfig again = reusing(config(llama, autoround(in_8_bits(3)), "again"), "earlier");
        stop_before(again, 1);
        QCOMPARE(read_run(again.run_dir).blocks_done, 2);  // what is told again of a block is told to its end
        again.resume = true;
        QCOMPARE(carry_out(again).all<RunStarted>().front().first_block, 2);
        COMPARE_FILES(path("again"), path("whole"));
    }

    void does_without_what_is_gone_or_was_done_by_hand() {
        const RunConfig first = config(llama, autoround(), "earlier");
        {
            Recorder recorder;
            RunControl control;
            bool ordered = false;
            recorder.react = [&](const RunEvent& event) {
                const auto* loss = std::get_if<LossRecorded>(&event);
                if (ordered || !loss || loss->block != 1) return;
                BlockOrder order;
                order.iters = 5;
                control.order(order);
                ordered = true;
            };
            run_calibration(first, recorder, control);
        }
        RunStarted started = carry_out(reusing(config(llama, autoround(), "by-hand"), "earlier")).all<RunStarted>().front();
        QCOMPARE(started.reused_blocks, 1);
        QCOMPARE(started.reuse_end, std::string("model.layers.1: it was tuned again by hand"));

        RunConfig other_samples = reusing(config(llama, autoround(), "samples"), "earlier");
        other_samples.num_samples = 2;
        started = carry_out(other_samples).all<RunStarted>().front();
        QCOMPARE(started.reused_blocks, 0);
        QCOMPARE(started.reuse_end, std::string("other samples"));

        fs::remove_all(path("earlier"));
        started = carry_out(reusing(config(llama, autoround(), "gone"), "earlier")).all<RunStarted>().front();
        QCOMPARE(started.reused_blocks, 0);
        QCOMPARE(started.reuse_end, std::string("model.layers.0: its tensors are kept no longer"));
    }

    void refuses_what_is_no_run() {
        try {
            carry_out(reusing(config(llama, autoround(), "again"), "nowhere"));
            QFAIL("accepted");
        } catch (const InputError& error) {
            QVERIFY2(QString(error.what()).contains("holds no run"), error.what());
        }
        QVERIFY(!fs::exists(path("again")));
        QVERIFY(!fs::exists(path("again-run")));
    }
};

QTEST_GUILESS_MAIN(TestReuse)
#include "tst_reuse.moc"
