#include <filesystem>

#include <QTemporaryDir>
#include <QTest>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/calibration/run.h"
#include "core/calibration/run_directory.h"
#include "tests/core/calibration/recorder.h"

using namespace calibench;
using testing::read_bytes;
using testing::Recorder;
namespace fs = std::filesystem;

/// Where weights are only rounded to nearest, no text is needed, and none changes a byte.
class WithoutSamplesTest : public QObject {
    Q_OBJECT

    std::unique_ptr<QTemporaryDir> dir_;

    [[nodiscard]] fs::path path(const char* name) const { return fs::path(dir_->path().toStdString()) / name; }
    [[nodiscard]] RunConfig config(const std::string& model, const std::string& modifier, const fs::path& output) const {
        RunConfig config;
        config.model_dir = fs::path(CALIBENCH_RESOURCES) / "demo" / model;
        config.recipe_yaml = concat("quant_stage:\n  quant_modifiers:\n    ", modifier, "\n");
        config.output_dir = output;
        config.num_samples = 2;
        config.seq_len = 32;
        config.device = "cpu";
        config.threads = 1;
        return config;
    }
    static RunSummary run(const RunConfig& config) {
        Recorder recorder;
        RunControl control;
        return run_calibration(config, recorder, control);
    }
    static QString error_of(const RunConfig& config) {
        try {
            run(config);
        } catch (const InputError& error) {
            return error.what();
        }
        return "accepted";
    }

private Q_SLOTS:
    void init() { dir_ = std::make_unique<QTemporaryDir>(); }

    void writes_what_a_run_with_samples_writes_data() {
        QTest::addColumn<QString>("model");
        QTest::addColumn<QString>("fields");
        for (const char* model : {"tiny-llama-shakespeare", "tiny-qwen3-moe-shakespeare"}) {
            const auto add = [&](const char* name, const char* fields) { QTest::addRow("%s, %s", model, name) << QString(model) << QString(fields); };
            add("W4", "ignore: [lm_head], config_groups: {a: {targets: [Linear], weights: {num_bits: 4, type: int, strategy: group, group_size: 64}}}");
            add("dynamic FP8", "ignore: [lm_head], scheme: FP8_DYNAMIC");
            add("NVFP4A16, shared scales", "ignore: [lm_head], scheme: NVFP4A16");
            add("embedding and head too", "targets: [Linear, Embedding], config_groups: {a: {targets: [Linear, Embedding], weights: {num_bits: 8, type: int, strategy: channel}}}");
        }
    }
    void writes_what_a_run_with_samples_writes() {
        QFETCH(QString, model);
        QFETCH(QString, fields);
        const std::string modifier = concat("QuantizationModifier: {", fields.toStdString(), "}");
        const RunSummary bare = run(config(model.toStdString(), modifier, path("bare")));
        RunConfig with_samples = config(model.toStdString(), modifier, path("with_samples"));
        with_samples.dataset = fs::path(CALIBENCH_RESOURCES) / "demo" / "shakespeare.txt";
        QCOMPARE(run(with_samples).num_quantized_modules, bare.num_quantized_modules);
        int files = 0;
        for (const auto& file : fs::directory_iterator(path("with_samples"))) {
            QVERIFY2(read_bytes(file.path()) == read_bytes(path("bare") / file.path().filename()), file.path().c_str());
            ++files;
        }
        QVERIFY(files >= 4);
    }

    void needs_no_tokenizer() {
        const fs::path source = fs::path(CALIBENCH_RESOURCES) / "demo" / "tiny-llama-shakespeare";
        fs::create_directories(path("model"));
        for (const auto& file : fs::directory_iterator(source))
            if (file.path().filename().string().find("tokenizer") == std::string::npos) fs::copy(file.path(), path("model") / file.path().filename());
        RunConfig bare = config("", "QuantizationModifier: {ignore: [lm_head], scheme: W8A16}", path("out"));
        bare.model_dir = path("model");
        QVERIFY(run(bare).output_bytes > 0);
    }

    void says_what_needs_samples_data() {
        QTest::addColumn<QString>("modifier");
        QTest::newRow("tuning") << "AutoRoundModifier: {ignore: [lm_head], scheme: W4A16, iters: 2}";
        QTest::newRow("static inputs") << "QuantizationModifier: {ignore: [lm_head], scheme: FP8}";
        QTest::newRow("weights by importance")
            << "QuantizationModifier: {ignore: [lm_head], config_groups: {a: {targets: [Linear], weights: {num_bits: 4, strategy: group, group_size: 64, observer: imatrix_mse}}}}";
        QTest::newRow("cache") << "QuantizationModifier: {ignore: [lm_head], scheme: FP8_DYNAMIC, kv_cache_scheme: {num_bits: 8, type: float, strategy: tensor, dynamic: false}}";
    }
    void says_what_needs_samples() {
        QFETCH(QString, modifier);
        const QString error = error_of(config("tiny-llama-shakespeare", modifier.toStdString(), path("out")));
        QVERIFY2(error.contains("calibration text"), qPrintable(error));
        QVERIFY(!fs::exists(path("out")));
    }

    void goes_on_after_a_stop() {
        const std::string modifier = "QuantizationModifier: {ignore: [lm_head], scheme: W8A16}";
        run(config("tiny-llama-shakespeare", modifier, path("whole")));

        RunConfig stopped = config("tiny-llama-shakespeare", modifier, path("out"));
        stopped.run_dir = path("run");
        Recorder recorder;
        RunControl control;
        recorder.react = [&control](const RunEvent& event) {
            if (std::holds_alternative<BlockFinished>(event)) control.request_cancel();
        };
        QVERIFY_THROWS_EXCEPTION(Cancelled, run_calibration(stopped, recorder, control));
        RunConfig resumed = read_run(path("run")).config;
        resumed.resume = true;
        run(resumed);
        for (const auto& file : fs::directory_iterator(path("whole")))
            QVERIFY2(read_bytes(file.path()) == read_bytes(path("out") / file.path().filename()), file.path().c_str());
    }
};

QTEST_GUILESS_MAIN(WithoutSamplesTest)
#include "tst_without_samples.moc"
