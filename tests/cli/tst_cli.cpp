#include <csignal>
#include <cstring>
#include <filesystem>

#include <QDir>
#include <QFile>
#include <QProcess>
#include <QTemporaryDir>
#include <QTest>
#include <QXmlStreamReader>
#include <nlohmann/json.hpp>

namespace fs = std::filesystem;

namespace {

const QString demo = QStringLiteral(CALIBENCH_RESOURCES "/demo/");
const QString llama = demo + "tiny-llama-shakespeare";
const QString text = demo + "shakespeare.txt";

const QByteArray recipe = R"(quant_stage:
  quant_modifiers:
    AutoRoundModifier:
      iters: 2
      batch_size: 2
      ignore: [lm_head]
      config_groups:
        group_0: {targets: [Linear], weights: {num_bits: 4, type: int, symmetric: true, strategy: group, group_size: 64}}
)";

struct Outcome {
    int code = -1;
    QString out;
    QString err;
};

Outcome run_cli(const QStringList& arguments) {
    QProcess process;
    process.start(CALIBENCH_CLI, arguments);
    if (!process.waitForFinished(120000)) return {-2, {}, process.errorString()};
    return {process.exitStatus() == QProcess::NormalExit ? process.exitCode() : -3, process.readAllStandardOutput(), process.readAllStandardError()};
}

nlohmann::json parse(const QString& json) {
    return nlohmann::json::parse(json.toStdString(), nullptr, false);
}

}  // namespace

class TestCli : public QObject {
    Q_OBJECT
private Q_SLOTS:
    void init() { dir_ = std::make_unique<QTemporaryDir>(); }
    void helpIsThereForEveryCommand_data();
    void helpIsThereForEveryCommand();
    void version();
    void idleThreadsSoonSleep_data();
    void idleThreadsSoonSleep();
    void badArguments_data();
    void badArguments();
    void inspect();
    void tokenize();
    void runThenEval();
    void forward();
    void eventsOnStdoutAreJsonLines();
    void recipeCheck();
    void checkBeforeTheRun();
    void presetsSayHowMuchWorkIsDone();
    void errorShowsTheWorstFirst();
    void errorShowsOneModuleClosely();
    void reportIsOnePage();
    void reportRefusesWhatItCannotWrite_data();
    void reportRefusesWhatItCannotWrite();
    void interruptEndsWith130();
    void goesOnAfterAnInterrupt();
    void goesOnAfterAKill();
    void resumeNeedsNothingElse_data();
    void resumeNeedsNothingElse();
    void badModel_data();
    void badModel();
    void badInput_data();
    void badInput();

private:
    [[nodiscard]] QString path(const QString& name) const { return dir_->filePath(name); }
    QString write(const QString& name, const QByteArray& bytes) const;
    [[nodiscard]] QString copy_of_llama() const;
    /// Ends a run with `signal` when `event` comes; returns what it said.
    Outcome end_run_at(const QByteArray& event, int signal, const QStringList& arguments) const;
    [[nodiscard]] QByteArray bytes(const QString& name) const;
    [[nodiscard]] QStringList run_arguments(const QString& model, const QString& dataset, const QString& recipe_file, const QString& output) const;
    std::unique_ptr<QTemporaryDir> dir_;
};

QString TestCli::write(const QString& name, const QByteArray& bytes) const {
    QFile file(path(name));
    if (file.open(QIODevice::WriteOnly)) file.write(bytes);
    return path(name);
}

QString TestCli::copy_of_llama() const {
    fs::copy(llama.toStdString(), path("model").toStdString());
    return path("model");
}

QStringList TestCli::run_arguments(const QString& model, const QString& dataset, const QString& recipe_file, const QString& output) const {
    return {"run", "--model", model, "--dataset", dataset, "--recipe", recipe_file, "--output", output, "--num-samples", "4", "--seq-len", "32", "--threads", "1"};
}

void TestCli::helpIsThereForEveryCommand_data() {
    QTest::addColumn<QStringList>("command");
    QTest::addColumn<QString>("expected");
    QTest::newRow("all") << QStringList{} << "inspect";
    for (const char* command : {"inspect", "eval", "forward", "tokenize"}) QTest::newRow(command) << QStringList{command} << "--model";
    QTest::newRow("inspect") << QStringList{"inspect"} << "--json";
    QTest::newRow("run") << QStringList{"run"} << "--run-dir";
    QTest::newRow("recipe check") << QStringList{"recipe", "check"} << "--model";
    QTest::newRow("check") << QStringList{"check"} << "--tensor-parallel";
    QTest::newRow("error") << QStringList{"error"} << "--module";
    QTest::newRow("report") << QStringList{"report"} << "--html";
}

void TestCli::helpIsThereForEveryCommand() {
    QFETCH(QStringList, command);
    QFETCH(QString, expected);
    if (command == QStringList{"inspect"}) expected = "model";
    const Outcome outcome = run_cli(command + QStringList{"--help"});
    QCOMPARE(outcome.code, 0);
    QVERIFY2(outcome.out.contains(expected), qPrintable(outcome.out));
}

void TestCli::version() {
    const Outcome outcome = run_cli({"--version"});
    QCOMPARE(outcome.code, 0);
    QVERIFY(outcome.out.startsWith("calibench-cli 0."));
}

void TestCli::idleThreadsSoonSleep_data() {
    QTest::addColumn<QString>("variable");
    QTest::addColumn<QString>("value");
    QTest::addColumn<QString>("spins");
    QTest::newRow("nothing is set") << QString() << QString() << "10000";
    QTest::newRow("another number is set") << "GOMP_SPINCOUNT" << "77" << "77";
    QTest::newRow("a policy is set") << "OMP_WAIT_POLICY" << "passive" << "0";
}

/// As the OpenMP runtime itself tells when it is loaded.
void TestCli::idleThreadsSoonSleep() {
    QFETCH(QString, variable);
    QFETCH(QString, value);
    QFETCH(QString, spins);
    QProcessEnvironment environment = QProcessEnvironment::systemEnvironment();
    for (const char* name : {"GOMP_SPINCOUNT", "OMP_WAIT_POLICY"}) environment.remove(name);
    if (!variable.isEmpty()) environment.insert(variable, value);
    environment.insert("OMP_DISPLAY_ENV", "VERBOSE");
    QProcess process;
    process.setProcessEnvironment(environment);
    process.start(CALIBENCH_CLI, {"--version"});
    QVERIFY(process.waitForFinished(60000));
    const QString told = process.readAllStandardError();
    if (!told.contains("GOMP_SPINCOUNT")) QSKIP("LibTorch does not use GNU OpenMP here");
    QVERIFY2(told.contains("GOMP_SPINCOUNT = '" + spins + "'"), qPrintable(told));
}

void TestCli::badArguments_data() {
    QTest::addColumn<QStringList>("arguments");
    QTest::newRow("none") << QStringList{};
    QTest::newRow("unknown command") << QStringList{"quantise"};
    QTest::newRow("unknown option") << QStringList{"inspect", llama, "--frobnicate"};
    QTest::newRow("missing option") << QStringList{"run", "--model", llama};
    QTest::newRow("not a number") << QStringList{"eval", "--model", llama, "--text", text, "--seq-len", "many"};
    QTest::newRow("unknown device") << run_arguments(llama, text, write("recipe.yaml", recipe), path("out")) + QStringList{"--device", "tpu"};
    QTest::newRow("not a size") << run_arguments(llama, text, write("recipe.yaml", recipe), path("out")) + QStringList{"--max-memory", "much"};
    QTest::newRow("no model") << QStringList{"inspect", "/nowhere/at/all"};
}

void TestCli::badArguments() {
    QFETCH(QStringList, arguments);
    write("recipe.yaml", recipe);
    if (arguments.contains("--recipe")) arguments = run_arguments(llama, text, path("recipe.yaml"), path("out")) + QStringList{"--device", "tpu"};
    const Outcome outcome = run_cli(arguments);
    QCOMPARE(outcome.code, 2);
    QVERIFY(outcome.out.isEmpty());
    QCOMPARE(outcome.err.trimmed().split('\n').size(), 1);
    QVERIFY(!outcome.err.trimmed().isEmpty());
}

void TestCli::inspect() {
    const auto json = parse(run_cli({"inspect", llama, "--json"}).out);
    QCOMPARE(json["num_blocks"].get<int>(), 4);
    QCOMPARE(json["architecture"].get<std::string>(), "LlamaForCausalLM");
    const Outcome plain = run_cli({"inspect", llama});
    QCOMPARE(plain.code, 0);
    QVERIFY2(plain.out.contains("model.layers.*.mlp.up_proj"), qPrintable(plain.out));
}

void TestCli::tokenize() {
    const QString file = write("text.txt", "To be, or not to be");
    const auto json = parse(run_cli({"tokenize", "--model", llama, "--text", file, "--json"}).out);
    QVERIFY(json["ids"].size() > 3);
    QCOMPARE(json["ids"].size(), json["tokens"].size());
    const Outcome plain = run_cli({"tokenize", "--model", llama, "--text", file});
    QCOMPARE(size_t(plain.out.trimmed().split('\n').size()), json["ids"].size());
}

void TestCli::runThenEval() {
    const Outcome done = run_cli(run_arguments(llama, text, write("recipe.yaml", recipe), path("out")) + QStringList{"--run-dir", path("run"), "--events", path("events.jsonl"), "--max-memory", "1KiB"});
    QVERIFY2(done.code == 0, qPrintable(done.err));
    QVERIFY2(done.out.contains("output   " + path("out")), qPrintable(done.out));
    QVERIFY(QFile::exists(path("out/model.safetensors")));
    QVERIFY(QFile::exists(path("run/result.json")));
    QFile about(path("run/run.json"));
    QVERIFY(about.open(QIODevice::ReadOnly));
    QCOMPARE(parse(QString::fromUtf8(about.readAll()))["config"]["max_memory"].get<int>(), 1024);
    QFile own(path("events.jsonl")), kept(path("run/events.jsonl"));
    QVERIFY(own.open(QIODevice::ReadOnly) && kept.open(QIODevice::ReadOnly));
    QCOMPARE(own.readAll(), kept.readAll());

    const QStringList options{"--text", text, "--seq-len", "64", "--max-tokens", "1024", "--json"};
    const auto before = parse(run_cli(QStringList{"eval", "--model", llama} + options).out);
    const auto after = parse(run_cli(QStringList{"eval", "--model", path("out")} + options).out);
    QCOMPARE(before["windows"].get<int>(), 16);
    const double float_perplexity = before["perplexity"].get<double>(), quantized_perplexity = after["perplexity"].get<double>();
    QVERIFY(float_perplexity > 2 && float_perplexity < 100);
    QVERIFY2(quantized_perplexity > 0.98 * float_perplexity && quantized_perplexity < 1.3 * float_perplexity,
             qPrintable(QString("%1 -> %2").arg(float_perplexity).arg(quantized_perplexity)));
    QVERIFY(quantized_perplexity != float_perplexity);
    const Outcome noted = run_cli(QStringList{"eval", "--run-dir", path("run")} + options);
    QVERIFY2(noted.code == 0, qPrintable(noted.err));
    QCOMPARE(parse(noted.out)["perplexity"].get<double>(), quantized_perplexity);
    QCOMPARE(parse(noted.out)["perplexity_of_model"].get<double>(), float_perplexity);
    QVERIFY(QFile::exists(path("run/notes.json")));

    const auto inspected = parse(run_cli({"inspect", path("out"), "--json"}).out);
    QCOMPARE(inspected["quantization_format"].get<std::string>(), "pack-quantized");

    const Outcome again = run_cli(run_arguments(llama, text, path("recipe.yaml"), path("out")));
    QCOMPARE(again.code, 2);
    QVERIFY2(again.err.contains("not an empty directory"), qPrintable(again.err));
}

void TestCli::forward() {
    // input_ids int64 [1, 4], as the safetensors library writes it
    const int64_t ids[] = {5, 6, 7, 8};
    QByteArray header = R"({"input_ids":{"dtype":"I64","shape":[1,4],"data_offsets":[0,32]}})";
    header.append((8 - header.size() % 8) % 8, ' ');
    const quint64 length = quint64(header.size());
    const QByteArray file = QByteArray(reinterpret_cast<const char*>(&length), 8) + header + QByteArray(reinterpret_cast<const char*>(ids), sizeof ids);
    const QString inputs = write("inputs.safetensors", file);
    const Outcome outcome = run_cli({"forward", "--model", llama, "--inputs", inputs, "--output", path("outputs.safetensors")});
    QVERIFY2(outcome.code == 0, qPrintable(outcome.err));
    QFile outputs(path("outputs.safetensors"));
    QVERIFY(outputs.open(QIODevice::ReadOnly));
    const QByteArray bytes = outputs.readAll();
    quint64 header_length = 0;
    std::memcpy(&header_length, bytes.constData(), 8);
    const auto entries = parse(QString::fromUtf8(bytes.mid(8, qsizetype(header_length))));
    QCOMPARE(entries["logits"]["shape"].dump(), "[1,4,2048]");
    QCOMPARE(entries["logits"]["dtype"].get<std::string>(), "F32");
    QCOMPARE(entries["hidden_0"]["shape"].dump(), "[1,4,256]");
    QVERIFY(entries.contains("hidden_3"));
}

void TestCli::eventsOnStdoutAreJsonLines() {
    const Outcome outcome = run_cli(run_arguments(llama, text, write("recipe.yaml", recipe), path("out")) + QStringList{"--events", "-", "--quiet"});
    QCOMPARE(outcome.code, 0);
    QVERIFY2(outcome.err.isEmpty(), qPrintable(outcome.err));
    const QStringList lines = outcome.out.trimmed().split('\n');
    QCOMPARE(parse(lines.first())["event"].get<std::string>(), "run_started");
    QCOMPARE(parse(lines.last())["event"].get<std::string>(), "run_finished");
    for (const QString& line : lines) QVERIFY2(parse(line).is_object(), qPrintable(line));
}

void TestCli::recipeCheck() {
    const QString good = write("good.yaml", recipe);
    QCOMPARE(run_cli({"recipe", "check", good}).code, 0);
    const Outcome on_model = run_cli({"recipe", "check", good, "--model", llama});
    QCOMPARE(on_model.code, 0);
    QVERIFY2(on_model.out.contains("28"), qPrintable(on_model.out));
    const Outcome bad = run_cli({"recipe", "check", write("bad.yaml", QByteArray(recipe).replace("num_bits: 4", "num_bitz: 4"))});
    QCOMPARE(bad.code, 2);
    QVERIFY2((bad.out + bad.err).contains("bad.yaml:8:"), qPrintable(bad.out + bad.err));
    const Outcome misfit = run_cli({"recipe", "check", write("misfit.yaml", QByteArray(recipe).replace("group_size: 64", "group_size: 96")), "--model", llama});
    QCOMPARE(misfit.code, 2);
}

void TestCli::checkBeforeTheRun() {
    const QStringList arguments = {"check", "--model", llama, "--recipe", write("recipe.yaml", recipe), "--json"};
    const Outcome good = run_cli(arguments);
    QCOMPARE(good.code, 0);
    QCOMPARE(parse(good.out)["num_quantized_modules"].get<int>(), 28);
    // 256 columns over 8 GPUs are 32 each: half a group.
    const Outcome cut = run_cli(arguments + QStringList{"--tensor-parallel", "8"});
    QCOMPARE(cut.code, 2);
    QVERIFY2(cut.out.contains("group_size 64 does not divide the 32 columns"), qPrintable(cut.out));
    const double few = parse(run_cli(arguments + QStringList{"--iters", "0"}).out)["estimated_run_seconds"].get<double>();
    const double many = parse(run_cli(arguments + QStringList{"--iters", "1000"}).out)["estimated_run_seconds"].get<double>();
    QVERIFY(few > 0 && many > 3 * few);  // without iterations scales are searched, which takes its time as well
}

void TestCli::presetsSayHowMuchWorkIsDone() {
    const QString recipe_file = write("recipe.yaml", recipe);
    const auto seconds = [&](const char* preset) {
        return parse(run_cli({"check", "--model", llama, "--recipe", recipe_file, "--preset", preset, "--json"}).out)["estimated_run_seconds"].get<double>();
    };
    QVERIFY(seconds("best") > 2 * seconds("default"));
    QVERIFY(seconds("default") > 2 * seconds("light"));

    // The samples are the command line's, the iterations the preset's; the export says so.
    const Outcome light = run_cli({"run", "--model", llama, "--dataset", text, "--recipe", recipe_file, "--output", path("light"), "--preset", "light", "--num-samples",
                                   "2", "--seq-len", "16", "--events", "-", "--quiet"});
    QVERIFY2(light.code == 0, qPrintable(light.err));
    const auto started = parse(light.out.section('\n', 0, 0));
    QCOMPARE(started["iters"].get<int>(), 50);
    QCOMPARE(started["num_samples"].get<int>(), 2);
    QVERIFY2(bytes("light/recipe.yaml").contains("lr: 0.005"), bytes("light/recipe.yaml").constData());

    const Outcome unknown = run_cli({"check", "--model", llama, "--recipe", recipe_file, "--preset", "quick"});
    QCOMPARE(unknown.code, 2);
    QVERIFY2(unknown.err.contains("best, default, light"), qPrintable(unknown.err));
}

void TestCli::errorShowsTheWorstFirst() {
    const QStringList arguments = {"error", "--model", llama, "--recipe", write("recipe.yaml", recipe)};
    const auto rounded = parse(run_cli(arguments + QStringList{"--json"}).out);
    QCOMPARE(rounded.size(), size_t(28));
    for (size_t i = 1; i < rounded.size(); ++i) QVERIFY(rounded[i - 1]["badness_db"].get<double>() >= rounded[i]["badness_db"].get<double>());

    // One scale of an export becomes a thousand, as bfloat16.
    const QByteArray to_nearest = QByteArray(recipe).replace("AutoRoundModifier", "QuantizationModifier").replace("      iters: 2\n      batch_size: 2\n", "");
    QCOMPARE(run_cli({"run", "--model", llama, "--recipe", write("nearest.yaml", to_nearest), "--output", path("out")}).code, 0);
    QFile weights(path("out/model.safetensors"));
    QVERIFY(weights.open(QIODevice::ReadWrite));
    uint64_t header_size = 0;
    QCOMPARE(weights.read(reinterpret_cast<char*>(&header_size), 8), 8);
    const auto header = parse(weights.read(qint64(header_size)));
    const auto offset = header["model.layers.2.mlp.up_proj.weight_scale"]["data_offsets"][0].get<qint64>();
    QVERIFY(weights.seek(qint64(8 + header_size) + offset + 2 * 100));
    QCOMPARE(weights.write("\x7a\x44", 2), 2);
    weights.close();
    const Outcome broken = run_cli(arguments + QStringList{"--checkpoint", path("out")});
    QCOMPARE(broken.code, 0);
    const QString first = broken.out.section('\n', 1, 1);
    QVERIFY2(first.startsWith("model.layers.2.mlp.up_proj ") && first.contains("times their median"), qPrintable(broken.out));
}

void TestCli::errorShowsOneModuleClosely() {
    const QStringList arguments = {"error", "--model", llama, "--recipe", write("recipe.yaml", recipe), "--module"};
    const auto json = parse(run_cli(arguments + QStringList{"model.layers.0.mlp.down_proj", "--json"}).out);
    QCOMPARE(json.size(), size_t(1));
    QCOMPARE(json[0]["weight"]["shape"].get<std::vector<int>>(), (std::vector<int>{256, 768}));
    QCOMPARE(json[0]["worst_rows"].size(), size_t(5));
    QCOMPARE(parse(run_cli(arguments + QStringList{"re:.*down_proj", "--json"}).out).size(), size_t(4));
    const Outcome plain = run_cli(arguments + QStringList{"model.layers.0.mlp.down_proj"});
    QVERIFY2(plain.out.contains("256 x 768, int4 g64 sym, 3072 scales"), qPrintable(plain.out));
    QVERIFY2(plain.out.contains("largest error"), qPrintable(plain.out));
    const Outcome nobody = run_cli(arguments + QStringList{"lm_head"});
    QCOMPARE(nobody.code, 2);
    QVERIFY2(nobody.err.startsWith("The recipe quantizes no module that \"lm_head\" names."), qPrintable(nobody.err));
}

void TestCli::reportIsOnePage() {
    const QStringList arguments = run_arguments(llama, text, write("recipe.yaml", recipe), path("out"));
    QCOMPARE(run_cli(arguments + QStringList{"--run-dir", path("run"), "--quiet"}).code, 0);
    QStringList others = run_arguments(llama, text, write("recipe.yaml", QByteArray(recipe).replace("num_bits: 4", "num_bits: 8")), path("other out"));
    QCOMPARE(run_cli(others + QStringList{"--run-dir", path("other run"), "--quiet"}).code, 0);

    const Outcome done = run_cli({"report", "--run-dir", path("run"), "--html", path("report.html")});
    QVERIFY2(done.code == 0, qPrintable(done.err));
    QVERIFY(done.out.isEmpty() && done.err.isEmpty());
    QXmlStreamReader page(bytes("report.html"));
    QStringList texts;
    int pictures = 0;
    while (!page.atEnd()) {
        if (page.readNext() == QXmlStreamReader::Characters) texts << page.text().toString();
        pictures += page.isStartElement() && page.name() == QLatin1String("svg");
    }
    QVERIFY2(!page.hasError(), qPrintable(page.errorString()));
    QCOMPARE(pictures, 5);
    // What the run told stands in it, digit by digit.
    int losses = 0, modules = 0;
    for (const QByteArray& line : bytes("run/events.jsonl").split('\n')) {
        const nlohmann::json event = nlohmann::json::parse(line.begin(), line.end(), nullptr, false);
        const std::string kind = event.is_object() ? event.value("event", "") : "";
        if (kind == "block_finished" && ++losses) QVERIFY2(texts.contains(QString::number(event["best_loss_mse"].get<double>(), 'g', 6).replace("e-0", "e-")), line.constData());
        if (kind == "module" && ++modules) QVERIFY2(texts.contains(QString::fromStdString(event["module"].get<std::string>())), line.constData());
    }
    QVERIFY(losses > 0 && modules > 0);

    QCOMPARE(run_cli({"report", "--run-dir", path("run"), "--run-dir", path("other run"), "--html", path("both.html")}).code, 0);
    const QString both = bytes("both.html");
    QVERIFY(both.contains("Comparison of 2 runs") && both.contains("num_bits: 8") && both.contains("<del>") && both.contains("Schemes"));
}

void TestCli::reportRefusesWhatItCannotWrite_data() {
    QTest::addColumn<QStringList>("arguments");
    QTest::addColumn<QString>("said");
    QTest::newRow("no run") << QStringList{"--run-dir", "nowhere", "--html", "report.html"} << "nowhere";
    QTest::newRow("a directory") << QStringList{"--run-dir", "run", "--html", "taken"} << "is a directory";
    QTest::newRow("no folder") << QStringList{"--run-dir", "run", "--html", "missing/report.html"} << "is not there";
}

void TestCli::reportRefusesWhatItCannotWrite() {
    QFETCH(QStringList, arguments);
    QFETCH(QString, said);
    QDir(dir_->path()).mkpath("taken");
    if (arguments[1] == "run")
        QCOMPARE(run_cli(run_arguments(llama, text, write("recipe.yaml", recipe), path("out")) + QStringList{"--run-dir", path("run"), "--quiet"}).code, 0);
    for (const int i : {1, 3}) arguments[i] = path(arguments[i]);
    const QStringList before = QDir(dir_->path()).entryList(QDir::AllEntries | QDir::NoDotAndDotDot | QDir::Hidden);
    const Outcome outcome = run_cli(QStringList{"report"} + arguments);
    QCOMPARE(outcome.code, 2);
    QVERIFY2(outcome.err.contains(said) && outcome.err.count('\n') == 1, qPrintable(outcome.err));
    QCOMPARE(QDir(dir_->path()).entryList(QDir::AllEntries | QDir::NoDotAndDotDot | QDir::Hidden), before);
}

void TestCli::interruptEndsWith130() {
    QProcess process;
    QStringList arguments = run_arguments(llama, text, write("recipe.yaml", recipe), path("out"));
    process.start(CALIBENCH_CLI, arguments + QStringList{"--iters", "100000", "--run-dir", path("run"), "--events", "-", "--quiet"});
    QByteArray seen;
    while (!seen.contains("\"loss\"") && process.waitForReadyRead(60000)) seen += process.readAllStandardOutput();
    QVERIFY(seen.contains("\"loss\""));
    QCOMPARE(::kill(pid_t(process.processId()), SIGINT), 0);
    QVERIFY(process.waitForFinished(60000));
    QCOMPARE(process.exitStatus(), QProcess::NormalExit);
    QCOMPARE(process.exitCode(), 130);
    QVERIFY(!QFile::exists(path("out")));
    QVERIFY(QDir(path(".")).entryList({"*partial*"}, QDir::AllEntries | QDir::Hidden).isEmpty());
    QVERIFY(QFile::exists(path("run/result.json")));
}

Outcome TestCli::end_run_at(const QByteArray& event, int signal, const QStringList& arguments) const {
    QProcess process;
    process.start(CALIBENCH_CLI, arguments + QStringList{"--events", "-"});
    QByteArray seen;
    while (!seen.contains(event) && process.waitForReadyRead(60000)) seen += process.readAllStandardOutput();
    if (!seen.contains(event)) return {-4, seen, "the run ended before " + event};
    ::kill(pid_t(process.processId()), signal);
    process.waitForFinished(60000);
    return {process.exitStatus() == QProcess::NormalExit ? process.exitCode() : -3, seen, process.readAllStandardError()};
}

QByteArray TestCli::bytes(const QString& name) const {
    QFile file(path(name));
    return file.open(QIODevice::ReadOnly) ? file.readAll() : QByteArray();
}

void TestCli::goesOnAfterAnInterrupt() {
    // Many iterations, so that there is time to stop; the same for the run that nobody stops.
    const QString slow = write("recipe.yaml", QByteArray(recipe).replace("iters: 2", "iters: 40"));
    QCOMPARE(run_cli(run_arguments(llama, text, slow, path("undisturbed"))).code, 0);
    const QString run = path("run dir's");
    const Outcome stopped = end_run_at(R"("event":"block_finished")", SIGINT, run_arguments(llama, text, slow, path("out")) + QStringList{"--run-dir", run});
    QCOMPARE(stopped.code, 130);
    QVERIFY2(stopped.err.contains(" of 4 blocks. Go on with: calibench-cli run --resume '" + path("run dir") + "'\\''s'\n"), qPrintable(stopped.err));
    QVERIFY(!QFile::exists(path("out")));

    const Outcome done = run_cli({"run", "--resume", run, "--threads", "1"});
    QVERIFY2(done.code == 0, qPrintable(done.err));
    QVERIFY2(done.err.contains("Going on behind block "), qPrintable(done.err));
    QVERIFY2(done.out.contains("output   " + path("out")), qPrintable(done.out));
    for (const char* file : {"model.safetensors", "config.json", "recipe.yaml"}) {
        QVERIFY(!bytes(QString("out/") + file).isEmpty());
        QVERIFY2(bytes(QString("out/") + file) == bytes(QString("undisturbed/") + file), file);
    }
    const Outcome again = run_cli({"run", "--resume", run});
    QCOMPARE(again.code, 2);
    QVERIFY2(again.err.contains("is finished"), qPrintable(again.err));
}

void TestCli::goesOnAfterAKill() {
    const QString slow = write("recipe.yaml", QByteArray(recipe).replace("iters: 2", "iters: 40"));
    QCOMPARE(run_cli(run_arguments(llama, text, slow, path("undisturbed"))).code, 0);
    const QStringList arguments = run_arguments(llama, text, slow, path("out")) + QStringList{"--run-dir", path("run")};
    QCOMPARE(end_run_at(R"("block":1,"event":"block_finished")", SIGKILL, arguments).code, -3);
    QVERIFY(!QFile::exists(path("out")));
    const Outcome killed_again = end_run_at(R"("restoring")", SIGKILL, {"run", "--resume", path("run"), "--threads", "1"});
    QCOMPARE(killed_again.code, -3);

    const Outcome done = run_cli({"run", "--resume", path("run"), "--output", path("elsewhere"), "--threads", "1", "--events", path("events.jsonl"), "--quiet"});
    QVERIFY2(done.code == 0, qPrintable(done.err));
    QVERIFY2(done.err.isEmpty(), qPrintable(done.err));
    QVERIFY(bytes("elsewhere/model.safetensors") == bytes("undisturbed/model.safetensors"));
    QVERIFY(!QFile::exists(path("run/blocks")));
    const auto first = parse(QString::fromUtf8(bytes("events.jsonl").split('\n').first()));
    QVERIFY(first["first_block"].get<int>() >= 2);
    QVERIFY(bytes("run/events.jsonl").endsWith(bytes("events.jsonl")));
}

void TestCli::resumeNeedsNothingElse_data() {
    QTest::addColumn<QStringList>("arguments");
    QTest::addColumn<QString>("expected");
    QTest::newRow("another model") << QStringList{"--model", llama} << "--model";
    QTest::newRow("other samples") << QStringList{"--num-samples", "4"} << "--num-samples";
    QTest::newRow("no run") << QStringList{} << "holds no run";
}

void TestCli::resumeNeedsNothingElse() {
    QFETCH(QStringList, arguments);
    QFETCH(QString, expected);
    const Outcome outcome = run_cli(QStringList{"run", "--resume", path("run")} + arguments);
    QCOMPARE(outcome.code, 2);
    QVERIFY2(outcome.err.contains(expected), qPrintable(outcome.err));
    QCOMPARE(outcome.err.trimmed().split('\n').size(), 1);
}

// What is wrong with a model directory: exit 2, and a sentence that names it.

void TestCli::badModel_data() {
    QTest::addColumn<QString>("expected");
    QTest::newRow("missing shard") << "model-00002-of-00002.safetensors";
    QTest::newRow("truncated shard") << "model.safetensors";
    QTest::newRow("header beyond the file") << "model.safetensors";
    QTest::newRow("wrong dtype") << "XF16";
    QTest::newRow("unknown architecture") << "MambaForCausalLM";
    QTest::newRow("config is no json") << "config.json";
    QTest::newRow("no tokenizer") << "tokenizer.json";
}

void TestCli::badModel() {
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
    const Outcome outcome = run_cli(run_arguments(model, text, write("recipe.yaml", recipe), path("out")));
    QCOMPARE(outcome.code, 2);
    QVERIFY2(outcome.err.contains(expected), qPrintable(outcome.err));
    QCOMPARE(outcome.err.trimmed().split('\n').size(), 1);
    QVERIFY(!QFile::exists(path("out")));
}

void TestCli::badInput_data() {
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

void TestCli::badInput() {
    QFETCH(QByteArray, recipe_text);
    QFETCH(QByteArray, dataset);
    QFETCH(QString, output);
    QFETCH(QString, expected);
    const Outcome outcome = run_cli(run_arguments(llama, write("data.txt", dataset), write("recipe.yaml", recipe_text), path(output)));
    QCOMPARE(outcome.code, 2);
    QVERIFY2(outcome.err.contains(expected), qPrintable(outcome.err));
    QCOMPARE(outcome.err.trimmed().split('\n').size(), 1);
    QVERIFY(!QFile::exists(path("out")));
}

QTEST_GUILESS_MAIN(TestCli)
#include "tst_cli.moc"
