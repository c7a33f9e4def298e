#include <csignal>

#include <QDir>
#include <QTest>

#include "tests/cli/cli_test.h"

using namespace calibench::testing;

namespace {

/// Ends a run with `signal` when `event` comes; returns what it said.
Outcome end_run_at(const QByteArray& event, int signal, const QStringList& arguments) {
    QProcess process;
    process.start(CALIBENCH_CLI, arguments + QStringList{"--events", "-"});
    QByteArray seen;
    while (!seen.contains(event) && process.waitForReadyRead(60000)) seen += process.readAllStandardOutput();
    if (!seen.contains(event)) return {-4, seen, "the run ended before " + event};
    ::kill(pid_t(process.processId()), signal);
    process.waitForFinished(60000);
    return {process.exitStatus() == QProcess::NormalExit ? process.exitCode() : -3, seen, process.readAllStandardError()};
}

}  // namespace

/// Runs from their first event to their export, also those that end before their time.
class RunsTest : public CliTest {
    Q_OBJECT
private Q_SLOTS:
    void init() { begin(); }
    void runThenEval();
    void eventsOnStdoutAreJsonLines();
    void interruptEndsWith130();
    void goesOnAfterAnInterrupt();
    void goesOnAfterAKill();
};

void RunsTest::runThenEval() {
    const Outcome done = run_cli(demo_run() + QStringList{"--run-dir", path("run"), "--events", path("events.jsonl"), "--max-memory", "1KiB"});
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

    const Outcome again = run_cli(demo_run());
    QCOMPARE(again.code, 2);
    QVERIFY2(again.err.contains("not an empty directory"), qPrintable(again.err));
}

void RunsTest::eventsOnStdoutAreJsonLines() {
    const Outcome outcome = run_cli(demo_run() + QStringList{"--events", "-", "--quiet"});
    QCOMPARE(outcome.code, 0);
    QVERIFY2(outcome.err.isEmpty(), qPrintable(outcome.err));
    const QStringList lines = outcome.out.trimmed().split('\n');
    QCOMPARE(parse(lines.first())["event"].get<std::string>(), "run_started");
    QCOMPARE(parse(lines.last())["event"].get<std::string>(), "run_finished");
    for (const QString& line : lines) QVERIFY2(parse(line).is_object(), qPrintable(line));
}

void RunsTest::interruptEndsWith130() {
    QProcess process;
    process.start(CALIBENCH_CLI, demo_run() + QStringList{"--iters", "100000", "--run-dir", path("run"), "--events", "-", "--quiet"});
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

void RunsTest::goesOnAfterAnInterrupt() {
    // Many iterations, so that there is time to stop; the same for the run that nobody stops.
    const QByteArray slow = QByteArray(recipe).replace("iters: 2", "iters: 40");
    QCOMPARE(run_cli(demo_run(slow, "undisturbed")).code, 0);
    const QString run = path("run dir's");
    const Outcome stopped = end_run_at(R"("event":"block_finished")", SIGINT, demo_run(slow) + QStringList{"--run-dir", run});
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

void RunsTest::goesOnAfterAKill() {
    const QByteArray slow = QByteArray(recipe).replace("iters: 2", "iters: 40");
    QCOMPARE(run_cli(demo_run(slow, "undisturbed")).code, 0);
    const QStringList arguments = demo_run(slow) + QStringList{"--run-dir", path("run")};
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

QTEST_GUILESS_MAIN(RunsTest)
#include "tst_runs.moc"
