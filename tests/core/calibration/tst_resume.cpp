#include <csignal>
#include <cstring>
#include <fstream>
#include <functional>

#include <sys/wait.h>
#include <unistd.h>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <QTemporaryDir>
#include <QTest>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/calibration/block_store.h"
#include "core/calibration/run.h"
#include "core/calibration/run_directory.h"
#include "core/models/checkpoint.h"
#include "tests/core/calibration/compare_files.h"
#include "tests/core/calibration/recorder.h"

using namespace calibench;
using testing::read_bytes;
using testing::Recorder;
namespace fs = std::filesystem;

namespace {

const fs::path demo = fs::path(CALIBENCH_RESOURCES) / "demo";
const std::string llama = "tiny-llama-shakespeare", moe = "tiny-qwen3-moe-shakespeare";

const std::string autoround = "AutoRoundModifier: {iters: 2, batch_size: 2, ignore: [lm_head], config_groups: {group_0: {targets: [Linear], "
                              "weights: {num_bits: 4, type: int, symmetric: false, strategy: group, group_size: 64}}}}";
const std::string autoround_w4a8 = "AutoRoundModifier: {iters: 2, batch_size: 2, ignore: [lm_head], config_groups: {group_0: {targets: [Linear], "
                                   "weights: {num_bits: 4, type: int, symmetric: true, strategy: group, group_size: 64}, "
                                   "input_activations: {num_bits: 8, strategy: token, dynamic: true}}}}";
const std::string w8a8_static = "QuantizationModifier: {ignore: [lm_head], config_groups: {group_0: {targets: [Linear], "
                                "weights: {num_bits: 8, strategy: channel, observer: imatrix_mse}, "
                                "input_activations: {num_bits: 8, symmetric: false, strategy: tensor, observer: static_minmax}}}}";
const std::string nvfp4 = "QuantizationModifier: {targets: [Linear], scheme: NVFP4, ignore: [lm_head]}";
const std::string fp8_and_cache = "QuantizationModifier: {targets: [Linear], scheme: FP8, ignore: [lm_head], "
                                  "kv_cache_scheme: {num_bits: 8, type: float, strategy: tensor, dynamic: false}}";
const std::string cache_alone = "QuantizationModifier: {kv_cache_scheme: {num_bits: 8, type: int, strategy: attn_head, symmetric: false}}";
const std::string outputs = "QuantizationModifier: {ignore: [lm_head], config_groups: {group_0: {targets: [Linear], weights: {num_bits: 8, strategy: channel}, "
                            "output_activations: {num_bits: 8, type: float, strategy: tensor, dynamic: false}}}}";
const std::string inputs_alone = "QuantizationModifier: {ignore: [lm_head], config_groups: {group_0: {targets: [Linear], input_activations: {num_bits: 8, strategy: tensor}}}}";
const std::string with_embedding_and_head = "QuantizationModifier: {config_groups: {a: {targets: [Embedding], weights: {num_bits: 8, strategy: channel}}, "
                                            "b: {targets: [Linear], weights: {num_bits: 4, strategy: group, group_size: 64}}}}";
/// Block 0 is left alone, so Xq is X when the run goes on behind it.
const std::string last_blocks = "QuantizationModifier: {config_groups: {a: {targets: ['re:.*layers.[23].mlp.*_proj$'], weights: {num_bits: 8, strategy: channel}}}}";

using Moment = std::function<bool(const RunEvent&)>;

template <class Event>
bool is_of_block(const RunEvent& event, int64_t block) {
    const auto* match = std::get_if<Event>(&event);
    return match && match->block == block;
}

RunSummary carry_out(const RunConfig& config, Recorder& recorder) {
    RunControl control;
    return run_calibration(config, recorder, control);
}

/// Stops at the first event that `when` is true for; returns what happened.
Recorder stop_at(const RunConfig& config, const Moment& when) {
    Recorder recorder;
    RunControl control;
    recorder.react = [&](const RunEvent& event) {
        if (when(event)) control.request_cancel();
    };
    try {
        run_calibration(config, recorder, control);
    } catch (const Cancelled&) {
    }
    return recorder;
}

/// The same in a process of its own, which is killed on the spot.
bool kill_at(const RunConfig& config, const Moment& when) {
    const pid_t child = ::fork();
    if (child == 0) {
        Recorder recorder;
        recorder.react = [&](const RunEvent& event) {
            if (when(event)) ::kill(::getpid(), SIGKILL);
        };
        carry_out(config, recorder);
        ::_exit(0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

std::string error_of(const RunConfig& config) {
    Recorder recorder;
    try {
        carry_out(config, recorder);
    } catch (const Error& error) {
        return error.what();
    }
    return "accepted";
}

}  // namespace

Q_DECLARE_METATYPE(Moment)

class TestResume : public QObject {
    Q_OBJECT

    std::unique_ptr<QTemporaryDir> dir_;

    [[nodiscard]] fs::path path(const char* name) const { return fs::path(dir_->path().toStdString()) / name; }
    [[nodiscard]] RunConfig config(const std::string& model, const std::string& modifier) const {
        RunConfig config;
        config.model_dir = demo / model;
        config.dataset = demo / "shakespeare.txt";
        config.recipe_yaml = concat("quant_stage:\n  quant_modifiers:\n    ", modifier, "\n");
        config.output_dir = path("out");
        config.run_dir = path("run");
        config.num_samples = 3;
        config.seq_len = 40;
        config.batch_size = 2;
        config.device = "cpu";
        config.dtype = "float32";
        config.threads = 1;
        return config;
    }
    /// What the run gives when nobody stops it.
    RunSummary undisturbed(RunConfig config) const {
        config.output_dir = path("undisturbed");
        config.run_dir.clear();
        Recorder recorder;
        return carry_out(config, recorder);
    }
    static RunConfig resumed(RunConfig config) {
        config.resume = true;
        return config;
    }

private Q_SLOTS:
    void initTestCase() {
        at::set_num_threads(1);
        QTest::failOnWarning(QRegularExpression(".*"));
    }
    void init() { dir_ = std::make_unique<QTemporaryDir>(); }

    void exports_the_same_bytes_data() {
        QTest::addColumn<QString>("model");
        QTest::addColumn<QString>("modifier");
        const auto add = [](const char* name, const std::string& model, const std::string& modifier) {
            QTest::addRow("%s, %s", model.c_str(), name) << QString::fromStdString(model) << QString::fromStdString(modifier);
        };
        for (const std::string& model : {llama, moe}) {
            add("AutoRound W4", model, autoround);
            add("W8A8 static", model, w8a8_static);
            add("FP8, cache FP8", model, fp8_and_cache);
        }
        add("AutoRound W4A8", llama, autoround_w4a8);
        add("NVFP4", llama, nvfp4);
        add("cache alone", llama, cache_alone);
        add("static outputs", llama, outputs);
        add("inputs alone", llama, inputs_alone);
        add("embedding and head", llama, with_embedding_and_head);
        add("first blocks left alone", llama, last_blocks);
    }
    void exports_the_same_bytes() {
        QFETCH(QString, model);
        QFETCH(QString, modifier);
        const RunConfig run = config(model.toStdString(), modifier.toStdString());
        const RunSummary expected = undisturbed(run);

        const Recorder first = stop_at(run, [](const RunEvent& event) { return is_of_block<BlockStarted>(event, 1); });
        QCOMPARE(std::get<RunStopped>(first.events.back()).blocks_done, 1);
        QVERIFY(!fs::exists(run.output_dir));
        const StoredRun stored = read_run(run.run_dir);
        QCOMPARE(stored.ending, StoredRun::Ending::Stopped);
        QCOMPARE(stored.blocks_done, 1);

        Recorder second;
        const RunSummary summary = carry_out(resumed(run), second);
        COMPARE_FILES(run.output_dir, path("undisturbed"));
        QCOMPARE(summary.mean_best_loss_mse, expected.mean_best_loss_mse);
        QCOMPARE(summary.mean_initial_loss_mse, expected.mean_initial_loss_mse);
        QCOMPARE(summary.num_quantized_modules, expected.num_quantized_modules);
        QCOMPARE(summary.output_bytes, expected.output_bytes);
        QCOMPARE(second.all<RunStarted>().front().first_block, 1);
        const size_t num_blocks = size_t(second.all<RunStarted>().front().num_blocks);
        QCOMPARE(second.all<BlockStarted>().size(), num_blocks - 1);
        QCOMPARE(second.all<BlockStarted>().front().block, 1);

        const StoredRun whole = read_run(run.run_dir);
        QCOMPARE(whole.ending, StoredRun::Ending::Finished);
        QCOMPARE(whole.events.size(), first.events.size() + second.events.size());
        QVERIFY(!fs::exists(run.run_dir / "blocks"));
        QVERIFY(QString(error_of(resumed(run)).c_str()).contains("is finished"));
    }

    void progress_tells_of_restoring() {
        const RunConfig run = config(llama, autoround);
        stop_at(run, [](const RunEvent& event) { return is_of_block<BlockStarted>(event, 2); });
        Recorder recorder;
        carry_out(resumed(run), recorder);
        double fraction = 0, restored = 0;
        for (const auto& progress : recorder.all<Progress>()) {
            QVERIFY(progress.fraction >= fraction);
            fraction = progress.fraction;
            if (progress.stage == "restoring" && progress.block == 1) restored = 1;
        }
        QCOMPARE(fraction, 1.0);
        QCOMPARE(restored, 1.0);
    }

    void can_be_stopped_again_and_again() {
        RunConfig run = config(llama, autoround);
        undisturbed(run);
        stop_at(run, [](const RunEvent& event) { return is_of_block<BlockStarted>(event, 2); });
        const auto restoring = [](const RunEvent& event) {
            const auto* progress = std::get_if<Progress>(&event);
            return progress && progress->stage == "restoring" && progress->block == 1;
        };
        const Recorder second = stop_at(resumed(run), restoring);
        QCOMPARE(std::get<RunStopped>(second.events.back()).blocks_done, 2);
        const Recorder third = stop_at(resumed(run), [](const RunEvent& event) { return is_of_block<BlockStarted>(event, 3); });
        QCOMPARE(third.all<RunStarted>().front().first_block, 2);
        QCOMPARE(read_run(run.run_dir).blocks_done, 3);
        const Recorder fourth = stop_at(resumed(run), [](const RunEvent& event) {
            const auto* progress = std::get_if<Progress>(&event);
            return progress && progress->stage == "exporting";
        });
        QCOMPARE(std::get<RunStopped>(fourth.events.back()).blocks_done, 4);
        run.output_dir = path("elsewhere");
        Recorder last;
        carry_out(resumed(run), last);
        QCOMPARE(last.all<BlockStarted>().size(), 0u);
        COMPARE_FILES(run.output_dir, path("undisturbed"));
    }

    void survives_being_killed_data() {
        QTest::addColumn<Moment>("moment");
        QTest::newRow("run started") << Moment([](const RunEvent& event) { return std::holds_alternative<RunStarted>(event); });
        QTest::newRow("before block 1") << Moment([](const RunEvent& event) { return is_of_block<BlockStarted>(event, 1); });
        QTest::newRow("block 1 finished") << Moment([](const RunEvent& event) { return is_of_block<BlockFinished>(event, 1); });
        QTest::newRow("in block 2") << Moment([](const RunEvent& event) { return is_of_block<LossRecorded>(event, 2); });
        QTest::newRow("exporting") << Moment([](const RunEvent& event) {
            const auto* progress = std::get_if<Progress>(&event);
            return progress && progress->stage == "exporting";
        });
    }
    void survives_being_killed() {
        QFETCH(Moment, moment);
        const RunConfig run = config(llama, autoround);
        undisturbed(run);
        QVERIFY(kill_at(run, moment));
        QCOMPARE(read_run(run.run_dir).ending, StoredRun::Ending::Interrupted);
        Recorder recorder;
        carry_out(resumed(run), recorder);
        COMPARE_FILES(run.output_dir, path("undisturbed"));
        QStringList left;
        for (const auto& entry : fs::directory_iterator(path(""))) left << QString::fromStdString(entry.path().filename().string());
        left.sort();
        QCOMPARE(left, (QStringList{"out", "run", "undisturbed"}));
    }

    /// A block whose tensors are kept but whose end was not told is done again; one that was told but whose tensors are gone as well.
    void takes_over_only_what_is_whole() {
        const RunConfig run = config(llama, autoround);
        undisturbed(run);
        stop_at(run, [](const RunEvent& event) { return is_of_block<BlockStarted>(event, 3); });
        fs::remove(run.run_dir / "blocks" / "model.layers.1.safetensors");
        std::ofstream(run.run_dir / "blocks" / "model.layers.0.safetensors.partial-77") << "half";
        QCOMPARE(read_run(run.run_dir).blocks_done, 1);
        Recorder recorder;
        carry_out(resumed(run), recorder);
        QCOMPARE(recorder.all<RunStarted>().front().first_block, 1);
        COMPARE_FILES(run.output_dir, path("undisturbed"));
    }

    void names_a_damaged_block() {
        const RunConfig run = config(llama, autoround);
        stop_at(run, [](const RunEvent& event) { return is_of_block<BlockStarted>(event, 2); });
        const fs::path block = run.run_dir / "blocks" / "model.layers.1.safetensors";
        fs::resize_file(block, fs::file_size(block) / 2);
        QVERIFY2(QString(error_of(resumed(run)).c_str()).contains("model.layers.1.safetensors"), error_of(resumed(run)).c_str());
        fs::remove(block);
        QCOMPARE(error_of(resumed(run)), std::string("accepted"));
    }

    void refuses_what_would_give_other_results() {
        const RunConfig run = config(llama, autoround);
        stop_at(run, [](const RunEvent& event) { return is_of_block<BlockStarted>(event, 1); });
        RunConfig other = resumed(run);
        other.num_samples = 4;
        other.iters = 5;
        other.recipe_yaml += "# touched\n";
        const QString error = error_of(other).c_str();
        for (const char* part : {"num_samples 4 instead of 3", "iters 5 instead of the recipe's", "another recipe"})
            QVERIFY2(error.contains(part), qPrintable(error));
        QVERIFY(!error.contains("seed"));
        QCOMPARE(read_run(run.run_dir).ending, StoredRun::Ending::Stopped);

        RunConfig elsewhere = resumed(run);
        elsewhere.run_dir = path("nowhere");
        QVERIFY2(QString(error_of(elsewhere).c_str()).contains("holds no run"), error_of(elsewhere).c_str());
        elsewhere.run_dir.clear();
        QVERIFY2(QString(error_of(elsewhere).c_str()).contains("run directory"), error_of(elsewhere).c_str());
        QCOMPARE(error_of(resumed(run)), std::string("accepted"));
    }

    void refuses_changed_inputs() {
        RunConfig run = config(llama, autoround);
        fs::copy(run.model_dir, path("model"));
        fs::copy(run.dataset, path("text.txt"));
        run.model_dir = path("model");
        run.dataset = path("text.txt");
        stop_at(run, [](const RunEvent& event) { return is_of_block<BlockStarted>(event, 1); });
        const auto touch = [](const fs::path& file, int hours) { fs::last_write_time(file, fs::last_write_time(file) + std::chrono::hours(hours)); };
        for (const fs::path& file : {path("text.txt"), path("model") / "model.safetensors", path("model") / "config.json"}) {
            touch(file, 1);
            const QString error = error_of(resumed(run)).c_str();
            QVERIFY2(error.startsWith(QString::fromStdString(file.string()) + " has changed since the run began"), qPrintable(error));
            touch(file, -1);
        }
        fs::rename(path("text.txt"), path("gone"));
        QVERIFY(QString(error_of(resumed(run)).c_str()).contains("text.txt"));
        fs::rename(path("gone"), path("text.txt"));
        QCOMPARE(error_of(resumed(run)), std::string("accepted"));
    }

    void refuses_a_run_at_work() {
        const RunConfig run = config(llama, autoround);
        std::string again, new_one;
        Recorder recorder;
        recorder.react = [&](const RunEvent& event) {
            if (!is_of_block<BlockStarted>(event, 1)) return;
            again = error_of(resumed(run));
            RunConfig other = run;
            other.output_dir = path("other");
            new_one = error_of(other);
        };
        carry_out(run, recorder);
        QVERIFY2(QString(again.c_str()).contains("still at work"), again.c_str());
        QVERIFY2(QString(new_one.c_str()).contains("holds a run already"), new_one.c_str());
        QCOMPARE(read_run(run.run_dir).ending, StoredRun::Ending::Finished);
    }

    /// The scheme of block 0 stays what it was stored with; the blocks to come follow the recipe as it is now.
    void goes_on_with_the_recipe_as_it_was_changed() {
        const RunConfig run = config(llama, autoround);
        stop_at(run, [](const RunEvent& event) { return is_of_block<BlockStarted>(event, 1); });
        const std::string changed = "quant_stage:\n  quant_modifiers:\n    AutoRoundModifier: {iters: 2, batch_size: 2, ignore: [lm_head], config_groups: {"
                                    "group_0: {targets: [Linear], weights: {num_bits: 4, type: int, symmetric: false, strategy: group, group_size: 64}}, "
                                    "group_1: {targets: ['re:.*layers.2.mlp.*'], weights: {num_bits: 8, type: int, symmetric: true, strategy: channel}}}}\n";
        {
            std::ofstream journal(run.run_dir / "events.jsonl", std::ios::app);
            journal << to_json(RecipeChanged{changed}).dump() << "\n";
        }
        QCOMPARE(read_run(run.run_dir).config.recipe_yaml, changed);

        Recorder recorder;
        carry_out(resumed(run), recorder);  // with the recipe it was begun with: the run knows better
        QCOMPARE(recorder.all<RunStarted>().front().first_block, 1);
        RunConfig whole = run;
        whole.recipe_yaml = changed;
        undisturbed(whole);
        COMPARE_FILES(run.output_dir, path("undisturbed"));
    }

    /// Block 1 was given another scheme while it was at work, and is done; the run goes on behind it.
    void remembers_what_one_block_was_ordered() {
        const RunConfig run = config(llama, autoround);
        BlockOrder order;
        order.keep = BlockOrder::Keep::Newest;
        order.recipe_yaml = run.recipe_yaml;
        order.recipe_yaml.replace(order.recipe_yaml.find("num_bits: 4"), 11, "num_bits: 8");
        const auto with_order = [&](RunConfig config, const Moment& stop) {
            RunControl control;
            Recorder recorder;
            recorder.react = [&](const RunEvent& event) {
                if (is_of_block<LossRecorded>(event, 1) && std::get<LossRecorded>(event).attempt == 0) control.order(order);
                if (stop && stop(event)) control.request_cancel();
            };
            try {
                run_calibration(config, recorder, control);
            } catch (const Cancelled&) {
            }
            return recorder;
        };
        RunConfig whole = run;
        whole.output_dir = path("undisturbed");
        whole.run_dir.clear();
        const Recorder undisturbed = with_order(whole, {});
        QCOMPARE(undisturbed.all<RecipeChanged>().size(), 1u);

        with_order(run, [](const RunEvent& event) { return is_of_block<BlockStarted>(event, 2); });
        Recorder recorder;
        carry_out(resumed(run), recorder);
        QCOMPARE(recorder.all<RunStarted>().front().first_block, 2);
        COMPARE_FILES(run.output_dir, path("undisturbed"));
        const auto bits = [&](const char* module) { return Checkpoint(run.output_dir).tensor(concat(module, ".weight_packed")).size(1) * 32 / 256; };
        QCOMPARE(bits("model.layers.0.mlp.up_proj"), 4);
        QCOMPARE(bits("model.layers.1.mlp.up_proj"), 8);
        QCOMPARE(bits("model.layers.2.mlp.up_proj"), 4);
    }

    /// A change that reaches into finished blocks: they are done again, so that the export is what its recipe says.
    void does_a_block_again_that_the_recipe_no_longer_fits() {
        const RunConfig run = config(llama, autoround);
        stop_at(run, [](const RunEvent& event) { return is_of_block<BlockStarted>(event, 2); });
        RunConfig other = config(llama, nvfp4);
        {
            std::ofstream journal(run.run_dir / "events.jsonl", std::ios::app);
            journal << to_json(RecipeChanged{other.recipe_yaml}).dump() << "\n";
        }
        Recorder recorder;
        carry_out(resumed(run), recorder);
        QCOMPARE(recorder.all<RunStarted>().front().first_block, 0);
        undisturbed(other);
        COMPARE_FILES(run.output_dir, path("undisturbed"));
    }

    void a_full_disk_keeps_what_was_done() {
        const RunConfig run = config(llama, autoround);
        undisturbed(run);
        const fs::path block = run.run_dir / "blocks" / "model.layers.1.safetensors";
        const fs::path partial = concat(block.string(), ".partial-", ::getpid());
        Recorder recorder;
        recorder.react = [&](const RunEvent& event) {
            if (is_of_block<BlockStarted>(event, 1)) fs::create_symlink("/dev/full", partial);
        };
        try {
            carry_out(run, recorder);
            QFAIL("accepted");
        } catch (const RunError& error) {
            QVERIFY2(QString(error.what()).contains("model.layers.1.safetensors") && QString(error.what()).contains("disk is full"), error.what());
            QVERIFY(!QString(error.what()).contains('\n'));
        }
        QVERIFY(std::holds_alternative<RunFailed>(recorder.events.back()));
        QCOMPARE(recorder.all<BlockFinished>().size(), 1u);
        const StoredRun stored = read_run(run.run_dir);
        QCOMPARE(stored.ending, StoredRun::Ending::Failed);
        QCOMPARE(stored.blocks_done, 1);
        Recorder second;
        carry_out(resumed(run), second);
        COMPARE_FILES(run.output_dir, path("undisturbed"));
    }

    void nothing_is_kept_without_a_run_directory() {
        RunConfig run = config(llama, autoround);
        run.run_dir.clear();
        run.output_dir.clear();
        Recorder recorder;
        carry_out(run, recorder);
        QVERIFY(fs::is_empty(path("")));
    }

    void tokens_of_both_parts_are_in_the_result() {
        RunConfig run = config(llama, autoround);
        run.output_dir.clear();
        stop_at(run, [](const RunEvent& event) { return is_of_block<BlockStarted>(event, 1); });
        Recorder recorder;
        recorder.react = [&](const RunEvent& event) {
            if (is_of_block<BlockStarted>(event, 1)) QVERIFY(!fs::exists(run.run_dir / "result.json"));
        };
        carry_out(resumed(run), recorder);
        const auto result = nlohmann::json::parse(read_bytes(run.run_dir / "result.json"));
        QCOMPARE(result["event"].get<std::string>(), "run_finished");
        QCOMPARE(result["tokens"].size(), 28u);
        QCOMPARE(result["tokens"]["model.layers.0.mlp.up_proj"].get<int>(), 120);
    }
};

QTEST_GUILESS_MAIN(TestResume)
#include "tst_resume.moc"
