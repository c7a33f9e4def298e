#include <filesystem>
#include <fstream>
#include <limits>
#include <memory>

#include <ATen/Parallel.h>
#include <QTemporaryDir>
#include <QTest>

#include "core/base/error.h"
#include "core/calibration/run.h"
#include "core/report/run_notes.h"
#include "tests/core/calibration/recorder.h"

using namespace calibench;
namespace fs = std::filesystem;

/// What people add to a run, and the perplexity of its export.
class TestRunNotes : public QObject {
    Q_OBJECT

    std::unique_ptr<QTemporaryDir> dir_;
    const fs::path demo_ = fs::path(CALIBENCH_RESOURCES) / "demo";

    [[nodiscard]] fs::path path(const char* name) const { return fs::path(dir_->path().toStdString()) / name; }
    void write(const char* bytes) const { std::ofstream(path("notes.json"), std::ios::binary) << bytes; }

private Q_SLOTS:
    void initTestCase() {
        at::set_num_threads(1);
        QTest::failOnWarning(QRegularExpression(".*"));
    }
    void init() { dir_ = std::make_unique<QTemporaryDir>(); }

    void are_read_as_they_were_written() {
        QVERIFY(read_notes(path("")) == RunNotes{});
        RunNotes notes{.title = "Erste \"Wahl\"", .annotation = "two\nlines, \xc3\xa4 and \\", .perplexity = {}};
        write_notes(path(""), notes);
        QVERIFY(read_notes(path("")) == notes);
        notes.perplexity = {.text = "/texts/a.txt", .text_bytes = 9, .seq_len = 128, .max_tokens = 1000, .quantized = std::numeric_limits<double>::infinity(), .original = 0.1 + 0.2};
        write_notes(path(""), notes);
        QVERIFY(read_notes(path("")) == notes);
        QVERIFY(!fs::exists(path("notes.json.partial")));
    }

    void damaged_ones_are_told_of_data() {
        QTest::addColumn<QByteArray>("bytes");
        for (const char* bytes : {"", "{", "[]", "7", "null", "{}", R"({"title": 3, "annotation": ""})", R"({"title": "", "annotation": "", "perplexity": 3})",
                                  R"({"title": "", "annotation": "", "perplexity": {"text": ""}})", "{\"title\": \"\xff\", \"annotation\": \"\"}"})
            QTest::newRow(*bytes ? bytes : "empty") << QByteArray(bytes);
    }

    void damaged_ones_are_told_of() {
        QFETCH(QByteArray, bytes);
        write(bytes.constData());
        try {
            (void)read_notes(path(""));
            QFAIL("accepted");
        } catch (const InputError& error) {
            QVERIFY2(QString(error.what()).startsWith(QString::fromStdString(path("notes.json").string())) && !QString(error.what()).contains("json.exception"), error.what());
        }
        write_notes(path(""), {.title = "anew", .annotation = {}, .perplexity = {}});
        QCOMPARE(read_notes(path("")).title, std::string("anew"));
    }

    void a_folder_that_is_gone_is_one_sentence() { QVERIFY_THROWS_EXCEPTION(RunError, write_notes(path("nowhere"), {.title = "a", .annotation = {}, .perplexity = {}})); }

    void perplexity_of_the_export_and_of_the_model() {
        RunConfig config;
        config.model_dir = demo_ / "tiny-llama-shakespeare";
        config.recipe_yaml = "quant_stage: {quant_modifiers: {QuantizationModifier: {targets: [Linear], scheme: W4A16, ignore: [lm_head]}}}\n";
        config.output_dir = path("export");
        config.run_dir = path("run");
        config.device = "cpu";
        config.dtype = "float32";
        config.threads = 1;
        testing::Recorder told;
        RunControl control;
        run_calibration(config, told, control);
        const RunFacts run = facts_of_run(path("run"));

        PerplexityOptions options{.model_dir = {}, .text = demo_ / "shakespeare.txt", .seq_len = 64, .max_tokens = 512, .threads = 1};
        std::vector<double> fractions;
        const PerplexityNote note = measure_perplexity(run, options, {}, control, [&](double fraction) { fractions.push_back(fraction); });
        QVERIFY(std::is_sorted(fractions.begin(), fractions.end()));
        QCOMPARE(fractions.back(), 1.0);
        options.model_dir = config.model_dir;
        QCOMPARE(note.original, evaluate_perplexity(options, control).perplexity);
        options.model_dir = path("export");
        QCOMPARE(note.quantized, evaluate_perplexity(options, control).perplexity);
        QVERIFY(note.quantized != note.original);

        // What is known of the model is not measured again, unless it was another question.
        PerplexityNote known = note;
        known.original = 7;
        QCOMPARE(measure_perplexity(run, options, known, control).original, 7);
        known.max_tokens = 256;
        QCOMPARE(measure_perplexity(run, options, known, control).original, note.original);

        RunControl cancelled;
        cancelled.request_cancel();
        QVERIFY_THROWS_EXCEPTION(Cancelled, (void)measure_perplexity(run, options, {}, cancelled));
        fs::remove_all(path("export"));
        QVERIFY_THROWS_EXCEPTION(InputError, (void)measure_perplexity(run, options, {}, control));
    }
};

QTEST_GUILESS_MAIN(TestRunNotes)
#include "tst_run_notes.moc"
