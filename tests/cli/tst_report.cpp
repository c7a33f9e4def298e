#include <QDir>
#include <QTest>
#include <QXmlStreamReader>

#include "tests/cli/cli_test.h"

using namespace calibench::testing;

class ReportTest : public CliTest {
    Q_OBJECT
private Q_SLOTS:
    void init() { begin(); }
    void reportIsOnePage();
    void reportRefusesWhatItCannotWrite_data();
    void reportRefusesWhatItCannotWrite();
};

void ReportTest::reportIsOnePage() {
    QCOMPARE(run_cli(demo_run() + QStringList{"--run-dir", path("run"), "--quiet"}).code, 0);
    const QByteArray other = QByteArray(recipe).replace("num_bits: 4", "num_bits: 8");
    QCOMPARE(run_cli(demo_run(other, "other out") + QStringList{"--run-dir", path("other run"), "--quiet"}).code, 0);

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

void ReportTest::reportRefusesWhatItCannotWrite_data() {
    QTest::addColumn<QStringList>("arguments");
    QTest::addColumn<QString>("said");
    QTest::newRow("no run") << QStringList{"--run-dir", "nowhere", "--html", "report.html"} << "nowhere";
    QTest::newRow("a directory") << QStringList{"--run-dir", "run", "--html", "taken"} << "is a directory";
    QTest::newRow("no folder") << QStringList{"--run-dir", "run", "--html", "missing/report.html"} << "is not there";
}

void ReportTest::reportRefusesWhatItCannotWrite() {
    QFETCH(QStringList, arguments);
    QFETCH(QString, said);
    QDir(path(".")).mkpath("taken");
    if (arguments[1] == "run") QCOMPARE(run_cli(demo_run() + QStringList{"--run-dir", path("run"), "--quiet"}).code, 0);
    for (const int i : {1, 3}) arguments[i] = path(arguments[i]);
    const QStringList before = QDir(path(".")).entryList(QDir::AllEntries | QDir::NoDotAndDotDot | QDir::Hidden);
    const Outcome outcome = run_cli(QStringList{"report"} + arguments);
    QCOMPARE(outcome.code, 2);
    QVERIFY2(outcome.err.contains(said) && outcome.err.count('\n') == 1, qPrintable(outcome.err));
    QCOMPARE(QDir(path(".")).entryList(QDir::AllEntries | QDir::NoDotAndDotDot | QDir::Hidden), before);
}

QTEST_GUILESS_MAIN(ReportTest)
#include "tst_report.moc"
