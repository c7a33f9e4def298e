#include <cstring>

#include <QTest>

#include "tests/cli/cli_test.h"

using namespace calibench::testing;

/// What needs no run.
class CommandsTest : public CliTest {
    Q_OBJECT
private Q_SLOTS:
    void init() { begin(); }
    void helpIsThereForEveryCommand_data();
    void helpIsThereForEveryCommand();
    void version();
    void idleThreadsSoonSleep_data();
    void idleThreadsSoonSleep();
    void inspect();
    void tokenize();
    void forward();
};

void CommandsTest::helpIsThereForEveryCommand_data() {
    QTest::addColumn<QStringList>("command");
    QTest::addColumn<QString>("expected");
    QTest::newRow("all") << QStringList{} << "inspect";
    for (const char* command : {"eval", "forward", "tokenize"}) QTest::newRow(command) << QStringList{command} << "--model";
    QTest::newRow("inspect") << QStringList{"inspect"} << "--json";
    QTest::newRow("run") << QStringList{"run"} << "--run-dir";
    QTest::newRow("recipe check") << QStringList{"recipe", "check"} << "--model";
    QTest::newRow("check") << QStringList{"check"} << "--tensor-parallel";
    QTest::newRow("error") << QStringList{"error"} << "--module";
    QTest::newRow("report") << QStringList{"report"} << "--html";
}

void CommandsTest::helpIsThereForEveryCommand() {
    QFETCH(QStringList, command);
    QFETCH(QString, expected);
    const Outcome outcome = run_cli(command + QStringList{"--help"});
    QCOMPARE(outcome.code, 0);
    QVERIFY2(outcome.out.contains(expected), qPrintable(outcome.out));
}

void CommandsTest::version() {
    const Outcome outcome = run_cli({"--version"});
    QCOMPARE(outcome.code, 0);
    QVERIFY(outcome.out.startsWith("calibench-cli 0."));
}

void CommandsTest::idleThreadsSoonSleep_data() {
    QTest::addColumn<QString>("variable");
    QTest::addColumn<QString>("value");
    QTest::addColumn<QString>("spins");
    QTest::newRow("nothing is set") << QString() << QString() << "10000";
    QTest::newRow("another number is set") << "GOMP_SPINCOUNT" << "77" << "77";
    QTest::newRow("a policy is set") << "OMP_WAIT_POLICY" << "passive" << "0";
}

/// As the OpenMP runtime itself tells when it is loaded.
void CommandsTest::idleThreadsSoonSleep() {
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

void CommandsTest::inspect() {
    const auto json = parse(run_cli({"inspect", llama, "--json"}).out);
    QCOMPARE(json["num_blocks"].get<int>(), 4);
    QCOMPARE(json["architecture"].get<std::string>(), "LlamaForCausalLM");
    const Outcome plain = run_cli({"inspect", llama});
    QCOMPARE(plain.code, 0);
    QVERIFY2(plain.out.contains("model.layers.*.mlp.up_proj"), qPrintable(plain.out));
}

void CommandsTest::tokenize() {
    const QString file = write("text.txt", "To be, or not to be");
    const auto json = parse(run_cli({"tokenize", "--model", llama, "--text", file, "--json"}).out);
    QVERIFY(json["ids"].size() > 3);
    QCOMPARE(json["ids"].size(), json["tokens"].size());
    const Outcome plain = run_cli({"tokenize", "--model", llama, "--text", file});
    QCOMPARE(size_t(plain.out.trimmed().split('\n').size()), json["ids"].size());
}

void CommandsTest::forward() {
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

QTEST_GUILESS_MAIN(CommandsTest)
#include "tst_commands.moc"
