#include <csignal>
#include <filesystem>
#include <map>

#include <sys/resource.h>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <QTemporaryDir>
#include <QTest>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/calibration/activation_cache.h"
#include "core/calibration/run.h"
#include "core/calibration/run_directory.h"
#include "tests/core/calibration/recorder.h"

using namespace calibench;
using testing::read_bytes;
using testing::Recorder;
namespace fs = std::filesystem;

/// Files in the place of memory change nothing but the memory.
class ActivationCacheTest : public QObject {
    Q_OBJECT

    std::unique_ptr<QTemporaryDir> dir_;

    [[nodiscard]] fs::path path(const char* name) const { return fs::path(dir_->path().toStdString()) / name; }
    [[nodiscard]] RunConfig config(const std::string& modifier, const fs::path& output) const {
        RunConfig config;
        config.model_dir = fs::path(CALIBENCH_RESOURCES) / "demo" / "tiny-llama-shakespeare";
        config.dataset = fs::path(CALIBENCH_RESOURCES) / "demo" / "shakespeare.txt";
        config.recipe_yaml = concat("quant_stage:\n  quant_modifiers:\n    ", modifier, "\n");
        config.output_dir = output;
        config.num_samples = 5;
        config.seq_len = 32;
        config.batch_size = 2;
        config.device = "cpu";
        config.threads = 1;
        return config;
    }
    static void run(const RunConfig& config, bool orders = true) {
        Recorder recorder;
        RunControl control;
        if (!orders) control.expect_no_orders();
        run_calibration(config, recorder, control);
    }
    static std::map<std::string, std::string> contents(const fs::path& directory) {
        std::map<std::string, std::string> files;
        for (const auto& entry : fs::directory_iterator(directory)) files[entry.path().filename().string()] = read_bytes(entry.path());
        return files;
    }
    [[nodiscard]] size_t entries(const fs::path& directory) const {
        return static_cast<size_t>(std::distance(fs::directory_iterator(directory), fs::directory_iterator()));
    }

private Q_SLOTS:
    void init() {
        at::set_num_threads(1);
        dir_ = std::make_unique<QTemporaryDir>();
    }

    void what_does_not_fit_lies_in_a_file_without_a_name() {
        const fs::path directory = dir_->path().toStdString();
        const auto cache = std::make_unique<ActivationCache>(3000, directory);
        at::Tensor first = cache->make({10, 50}, at::kFloat);
        at::Tensor second = cache->make({10, 50}, at::kFloat);
        QCOMPARE(cache->bytes_in_memory(), 2000);
        QCOMPARE(cache->bytes_in_files(), 2000);
        QCOMPARE(entries(directory), size_t(0));

        first.fill_(1);
        second.fill_(2);
        for (const at::Tensor& all : {first, second}) cache->set_aside(all);
        cache->set_aside(second.slice(0, 2, 4));
        QVERIFY(first.eq(1).all().item<bool>());
        QVERIFY(second.eq(2).all().item<bool>());

        first.reset();
        QCOMPARE(cache->bytes_in_memory(), 0);
        at::Tensor third = cache->make({2, 2}, at::kBFloat16);
        QCOMPARE(cache->bytes_in_memory(), 8);
        const at::Tensor part = second.slice(0, 9);
        second.reset();
        QCOMPARE(cache->bytes_in_files(), 2000);
        QVERIFY(part.eq(2).all().item<bool>());
    }

    void pages_set_aside_are_read_again() {
        ActivationCache cache(1, dir_->path().toStdString());
        const at::Tensor values = cache.make({64, 4096}, at::kFloat);
        const at::Tensor expected = at::arange(64 * 4096, at::kFloat).view({64, 4096});
        for (int64_t row = 0; row < 64; row += 4) {
            values.slice(0, row, row + 4).copy_(expected.slice(0, row, row + 4));
            cache.set_aside(values.slice(0, row, row + 4));
        }
        QVERIFY(at::equal(values, expected));
        const at::Tensor picked = at::tensor({63, 0, 17}, at::kLong);
        QVERIFY(at::equal(values.index_select(0, picked), expected.index_select(0, picked)));
    }

    void tensors_outlive_the_cache() {
        auto cache = std::make_unique<ActivationCache>(1, dir_->path().toStdString());
        const at::Tensor values = cache->make({100}, at::kFloat);
        cache.reset();
        values.fill_(3);
        QCOMPARE(values.sum().item<float>(), 300.0f);
    }

    void without_a_limit_all_is_in_memory() {
        const ActivationCache cache(0, path("nowhere"));
        const at::Tensor values = cache.make({1000, 1000}, at::kFloat);
        QCOMPARE(cache.bytes_in_files(), 0);
    }

    void a_full_disk_is_one_sentence() {
        // The limit of a file's size stands for a disk's.
        std::signal(SIGXFSZ, SIG_IGN);
        rlimit before{};
        QCOMPARE(getrlimit(RLIMIT_FSIZE, &before), 0);
        rlimit small = before;
        small.rlim_cur = 1 << 20;
        QCOMPARE(setrlimit(RLIMIT_FSIZE, &small), 0);
        const ActivationCache cache(1, dir_->path().toStdString());
        QString message;
        try {
            (void)cache.make({4, 1 << 20}, at::kFloat);
        } catch (const RunError& error) {
            message = error.what();
        }
        QCOMPARE(setrlimit(RLIMIT_FSIZE, &before), 0);
        QVERIFY2(message.startsWith(dir_->path()) && message.contains("no room for 16"), qPrintable(message));
        QCOMPARE(cache.bytes_in_files(), 0);
        QCOMPARE(entries(dir_->path().toStdString()), size_t(0));
    }

    void a_directory_that_is_not_there_is_named() {
        const ActivationCache cache(1, path("nowhere"));
        QVERIFY_THROWS_EXCEPTION(RunError, (void)cache.make({4}, at::kFloat));
    }

    void files_change_no_byte_of_the_export_data() {
        QTest::addColumn<QString>("modifier");
        QTest::addColumn<qlonglong>("max_memory");
        const QString tuned = "AutoRoundModifier: {ignore: [lm_head], scheme: W4A16, iters: 3, batch_size: 2}";
        const QString observed = "QuantizationModifier: {scheme: FP8, targets: [Linear]}";
        QTest::newRow("AutoRound, all in files") << tuned << 1ll;
        QTest::newRow("AutoRound, one in memory") << tuned << 2ll * 5 * 32 * 256 * 2;
        QTest::newRow("static FP8 with its head, all in files") << observed << 1ll;
    }
    void files_change_no_byte_of_the_export() {
        QFETCH(QString, modifier);
        QFETCH(qlonglong, max_memory);
        run(config(modifier.toStdString(), path("expected")));
        RunConfig spilled = config(modifier.toStdString(), path("out"));
        spilled.max_memory = max_memory;
        spilled.run_dir = path("run");
        run(spilled, /*orders=*/false);  // X is not kept either
        QVERIFY(contents(path("out")) == contents(path("expected")));
        QCOMPARE(read_run(path("run")).config.max_memory, int64_t(max_memory));
        for (const auto& entry : fs::directory_iterator(path("run"))) QVERIFY(!entry.path().filename().string().starts_with(".scratch"));

        RunConfig without_directory = config(modifier.toStdString(), path("again") / "");
        without_directory.max_memory = max_memory;
        run(without_directory);
        QVERIFY(contents(path("again")) == contents(path("expected")));
        QCOMPARE(entries(path(".")), size_t(4));
    }

    void a_run_goes_on_with_another_limit() {
        const std::string modifier = "AutoRoundModifier: {ignore: [lm_head], scheme: W4A16, iters: 2, batch_size: 2}";
        run(config(modifier, path("expected")));
        RunConfig stopped = config(modifier, path("out"));
        stopped.run_dir = path("run");
        stopped.max_memory = 1;
        Recorder recorder;
        RunControl control;
        recorder.react = [&control](const RunEvent& event) {
            const auto* block = std::get_if<BlockFinished>(&event);
            if (block && block->block == 1) control.request_cancel();
        };
        QVERIFY_THROWS_EXCEPTION(Cancelled, run_calibration(stopped, recorder, control));
        for (const auto& entry : fs::directory_iterator(path("run"))) QVERIFY(!entry.path().filename().string().starts_with(".scratch"));
        RunConfig resumed = read_run(path("run")).config;
        resumed.resume = true;
        resumed.max_memory = 100000;
        run(resumed);
        QVERIFY(contents(path("out")) == contents(path("expected")));
    }

    void a_block_begun_again_finds_its_inputs_in_the_file() {
        const std::string modifier = "AutoRoundModifier: {ignore: [lm_head], scheme: W4A16, iters: 2, batch_size: 2}";
        const auto redo_first = [&](const RunConfig& config) {
            Recorder recorder;
            RunControl control;
            bool redone = false;
            recorder.react = [&](const RunEvent& event) {
                const auto* loss = std::get_if<LossRecorded>(&event);
                if (!loss || loss->iteration != 1 || std::exchange(redone, true)) return;
                BlockOrder order;
                order.recipe_yaml = concat("quant_stage:\n  quant_modifiers:\n    AutoRoundModifier: {ignore: [lm_head], scheme: W8A16, iters: 2, batch_size: 2}\n");
                control.order(order);
            };
            run_calibration(config, recorder, control);
            QCOMPARE(recorder.all<BlockRedone>().size(), size_t(1));
        };
        redo_first(config(modifier, path("expected")));
        RunConfig spilled = config(modifier, path("out"));
        spilled.max_memory = 1;
        redo_first(spilled);
        QVERIFY(contents(path("out")) == contents(path("expected")));
    }
};

QTEST_GUILESS_MAIN(ActivationCacheTest)
#include "tst_activation_cache.moc"
