#include <filesystem>

#include <QTemporaryDir>
#include <QTest>

#include "core/base/error.h"
#include "core/calibration/preflight.h"
#include "core/calibration/run.h"
#include "core/models/model_summary.h"

using namespace calibench;
namespace fs = std::filesystem;

namespace {

const fs::path demo = fs::path(CALIBENCH_RESOURCES) / "demo";

RunConfig config(const char* model, const char* modifier) {
    RunConfig config;
    config.model_dir = demo / model;
    config.recipe_yaml = std::string("quant_stage:\n  quant_modifiers:\n    ") + modifier + "\n";
    config.dataset = demo / "shakespeare.txt";
    config.num_samples = 2;
    config.seq_len = 32;
    config.threads = 1;
    return config;
}

class Silent : public RunListener {
    void on_event(const RunEvent&) override {}
};

}  // namespace

class PreflightTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void foretells_the_size_of_the_export_data() {
        QTest::addColumn<QByteArray>("model");
        QTest::addColumn<QByteArray>("modifier");
        const QByteArray llama = "tiny-llama-shakespeare", moe = "tiny-qwen3-moe-shakespeare";
        QTest::newRow("llama W8A16") << llama << QByteArray("QuantizationModifier: {scheme: W8A16, ignore: [lm_head]}");
        QTest::newRow("llama with its head") << llama << QByteArray("QuantizationModifier: {scheme: W4A16_ASYM}");
        QTest::newRow("moe FP8") << moe << QByteArray("QuantizationModifier: {scheme: FP8_DYNAMIC, ignore: [lm_head]}");
        QTest::newRow("moe, attention alone") << moe << QByteArray("QuantizationModifier: {scheme: W8A8, targets: ['re:.*self_attn.*'], ignore: [lm_head]}");
    }
    void foretells_the_size_of_the_export() {
        QFETCH(QByteArray, model);
        QFETCH(QByteArray, modifier);
        QTemporaryDir dir;
        RunConfig run = config(model, modifier);
        run.output_dir = fs::path(dir.path().toStdString()) / "out";
        const PreflightReport report = check_before_run(run);
        QVERIFY(report.ok());
        Silent listener;
        RunControl control;
        const RunSummary summary = run_calibration(run, listener, control);
        QCOMPARE(int64_t(report.num_quantized), summary.num_quantized_modules);
        QCOMPARE(report.source_bytes, inspect_model(run.model_dir).num_bytes);
        QCOMPARE(report.compressed_bytes, summary.output_bytes);
    }

    void tells_what_would_be_refused() {
        const PreflightReport report = check_before_run(config("tiny-llama-shakespeare", "QuantizationModifier: {scheme: W8A16, ignore: [lm_head, 're:.*v_proj']}"));
        QVERIFY(!report.ok());
        QVERIFY(to_json(report).dump().find("qkv_proj") != std::string::npos);
    }

    void a_longer_run_takes_longer_and_more_memory() {
        RunConfig small = config("tiny-llama-shakespeare", "AutoRoundModifier: {scheme: W8A16, ignore: [lm_head], iters: 10}");
        RunConfig large = small;
        large.num_samples = 4096;
        large.seq_len = 512;
        QVERIFY(check_before_run(large).run_seconds > 10 * check_before_run(small).run_seconds);
        QVERIFY(check_before_run(large).peak_memory_bytes > 2 * check_before_run(small).peak_memory_bytes);
    }

    void activations_in_files_take_no_memory() {
        RunConfig run = config("tiny-llama-shakespeare", "AutoRoundModifier: {scheme: W8A16, ignore: [lm_head], iters: 10}");
        run.num_samples = 4096;
        run.seq_len = 512;
        const int64_t all = check_before_run(run).peak_memory_bytes;
        run.max_memory = 100 << 20;
        const int64_t some = check_before_run(run).peak_memory_bytes;
        run.max_memory = 200 << 20;
        QCOMPARE(check_before_run(run).peak_memory_bytes - some, int64_t(100 << 20));
        QVERIFY(all > 2 * some);
        run.max_memory = int64_t(1) << 50;
        QCOMPARE(check_before_run(run).peak_memory_bytes, all);
    }

    void bad_input_is_an_input_error() {
        QVERIFY_EXCEPTION_THROWN((void)check_before_run(config("no-such-model", "")), InputError);
        QVERIFY_EXCEPTION_THROWN((void)check_before_run(config("tiny-llama-shakespeare", ""), {.tensor_parallel = 0}), InputError);
        QVERIFY(!check_before_run(config("tiny-llama-shakespeare", "NoModifier: {}")).ok());
    }
};

QTEST_GUILESS_MAIN(PreflightTest)
#include "tst_preflight.moc"
