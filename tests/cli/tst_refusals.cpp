#include <functional>

#include <QTest>

#include "tests/cli/cli_test.h"

using namespace calibench::testing;

/// What cannot be done: exit 2, and one sentence that names what is wrong.
class RefusalsTest : public CliTest {
    Q_OBJECT
private Q_SLOTS:
    void init() { begin(); }
    void badArguments_data();
    void badArguments();
    void badRunOptions_data();
    void badRunOptions();
    void resumeNeedsNothingElse_data();
    void resumeNeedsNothingElse();
    void badModel_data();
    void badModel();
    void badInput_data();
    void badInput();
};

void RefusalsTest::badArguments_data() {
    QTest::addColumn<QStringList>("arguments");
    QTest::newRow("none") << QStringList{};
    QTest::newRow("unknown command") << QStringList{"quantise"};
    QTest::newRow("unknown option") << QStringList{"inspect", llama, "--frobnicate"};
    QTest::newRow("missing option") << QStringList{"run", "--model", llama};
    QTest::newRow("not a number") << QStringList{"eval", "--model", llama, "--text", text, "--seq-len", "many"};
    QTest::newRow("no model") << QStringList{"inspect", "/nowhere/at/all"};
}

void RefusalsTest::badArguments() {
    QFETCH(QStringList, arguments);
    const Outcome outcome = run_cli(arguments);
    QCOMPARE(outcome.code, 2);
    QVERIFY(outcome.out.isEmpty());
    QCOMPARE(outcome.err.trimmed().split('\n').size(), 1);
    QVERIFY(!outcome.err.trimmed().isEmpty());
}

void RefusalsTest::badRunOptions_data() {
    QTest::addColumn<QStringList>("options");
    QTest::addColumn<QString>("expected");
    QTest::newRow("unknown device") << QStringList{"--device", "tpu"} << "\"tpu\" is no device";
    QTest::newRow("no such GPU") << QStringList{"--device", "cuda:99"} << "GPU";
    QTest::newRow("unknown dtype") << QStringList{"--dtype", "float16"} << "float16";
    QTest::newRow("unknown effort") << QStringList{"--effort", "lazy"} << "lazy";
    QTest::newRow("not a size") << QStringList{"--max-memory", "much"} << "much";
}

void RefusalsTest::badRunOptions() {
    QFETCH(QStringList, options);
    QFETCH(QString, expected);
    const Outcome outcome = run_cli(demo_run() + options);
    QCOMPARE(outcome.code, 2);
    QVERIFY2(outcome.err.contains(expected), qPrintable(outcome.err));
    QCOMPARE(outcome.err.trimmed().split('\n').size(), 1);
    QVERIFY(!QFile::exists(path("out")));
}

void RefusalsTest::resumeNeedsNothingElse_data() {
    QTest::addColumn<QStringList>("arguments");
    QTest::addColumn<QString>("expected");
    QTest::newRow("another model") << QStringList{"--model", llama} << "--model";
    QTest::newRow("other samples") << QStringList{"--num-samples", "4"} << "--num-samples";
    QTest::newRow("no run") << QStringList{} << "holds no run";
}

void RefusalsTest::resumeNeedsNothingElse() {
    QFETCH(QStringList, arguments);
    QFETCH(QString, expected);
    const Outcome outcome = run_cli(QStringList{"run", "--resume", path("run")} + arguments);
    QCOMPARE(outcome.code, 2);
    QVERIFY2(outcome.err.contains(expected), qPrintable(outcome.err));
    QCOMPARE(outcome.err.trimmed().split('\n').size(), 1);
}

void RefusalsTest::badModel_data() {
    QTest::addColumn<QString>("expected");
    QTest::newRow("missing shard") << "model-00002-of-00002.safetensors";
    QTest::newRow("truncated shard") << "model.safetensors";
    QTest::newRow("header beyond the file") << "model.safetensors";
    QTest::newRow("wrong dtype") << "XF16";
    QTest::newRow("unknown architecture") << "MambaForCausalLM";
    QTest::newRow("config is no json") << "config.json";
    QTest::newRow("no tokenizer") << "tokenizer.json";
}

void RefusalsTest::badModel() {
    QFETCH(QString, expected);
    const QString model = copy_of_llama(), weights = model + "/model.safetensors", config = model + "/config.json";
    const auto edit = [](const QString& name, const std::function<void(QByteArray&)>& change) {
        QFile file(name);
        QVERIFY(file.open(QIODevice::ReadOnly));
        QByteArray bytes = file.readAll();
        file.close();
        change(bytes);
        QVERIFY(file.open(QIODevice::WriteOnly));
        file.write(bytes);
    };
    const QString what = QTest::currentDataTag();
    if (what == "missing shard") {
        QFile::rename(weights, model + "/model-00001-of-00002.safetensors");
        write("model/model.safetensors.index.json", R"({"metadata": {}, "weight_map": {"model.embed_tokens.weight": "model-00001-of-00002.safetensors",
            "model.norm.weight": "model-00002-of-00002.safetensors"}})");
    }
    if (what == "truncated shard") edit(weights, [](QByteArray& bytes) { bytes.chop(1000); });
    if (what == "header beyond the file") edit(weights, [](QByteArray& bytes) { bytes[6] = 1; });
    if (what == "wrong dtype") edit(weights, [](QByteArray& bytes) { bytes.replace(bytes.indexOf("\"BF16\""), 6, "\"XF16\""); });
    if (what == "unknown architecture") edit(config, [](QByteArray& bytes) { bytes.replace("LlamaForCausalLM", "MambaForCausalLM").replace("\"llama\"", "\"mamba\""); });
    if (what == "config is no json") edit(config, [](QByteArray& bytes) { bytes.chop(20); });
    if (what == "no tokenizer") QFile::remove(model + "/tokenizer.json");
    const Outcome outcome = run_cli(run_of(model, text, recipe));
    QCOMPARE(outcome.code, 2);
    QVERIFY2(outcome.err.contains(expected), qPrintable(outcome.err));
    QCOMPARE(outcome.err.trimmed().split('\n').size(), 1);
    QVERIFY(!QFile::exists(path("out")));
}

void RefusalsTest::badInput_data() {
    QTest::addColumn<QByteArray>("recipe_text");
    QTest::addColumn<QByteArray>("dataset");
    QTest::addColumn<QString>("output");
    QTest::addColumn<QString>("expected");
    const QByteArray long_text(20000, 'a');
    QTest::newRow("invalid YAML") << QByteArray("quant_stage:\n  quant_modifiers: [\n") << long_text << "out" << "line 3";
    QTest::newRow("target matches nothing") << QByteArray(recipe).replace("[Linear]", "['re:.*no_such_proj']") << long_text << "out" << "no_such_proj";
    QTest::newRow("dataset too short") << recipe << QByteArray("To be") << "out" << "data.txt";
    QTest::newRow("dataset empty") << recipe << QByteArray() << "out" << "data.txt";
    QTest::newRow("unwritable output") << recipe << long_text << "recipe.yaml/out" << "recipe.yaml/out";
}

void RefusalsTest::badInput() {
    QFETCH(QByteArray, recipe_text);
    QFETCH(QByteArray, dataset);
    QFETCH(QString, output);
    QFETCH(QString, expected);
    const Outcome outcome = run_cli(run_of(llama, write("data.txt", dataset), recipe_text, output));
    QCOMPARE(outcome.code, 2);
    QVERIFY2(outcome.err.contains(expected), qPrintable(outcome.err));
    QCOMPARE(outcome.err.trimmed().split('\n').size(), 1);
    QVERIFY(!QFile::exists(path("out")));
}

QTEST_GUILESS_MAIN(RefusalsTest)
#include "tst_refusals.moc"
