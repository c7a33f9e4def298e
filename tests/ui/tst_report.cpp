#include <QRegularExpression>

#include "app/gui/core_services.h"
#include "tests/ui/save_dialog.h"
#include "ui/actions.h"
#include "ui/format.h"
#include "ui/panels/plots_page.h"
#include "ui/report/report_commands.h"
#include "ui/report/report_pdf.h"
#include "ui/runs/runs_page.h"

using namespace calibench;
using namespace calibench::test;

namespace {

int pagesOf(const QByteArray& pdf) { return static_cast<int>(QString::fromLatin1(pdf).count(QRegularExpression(QStringLiteral("/Type\\s*/Page\\b(?!s)")))); }

class NoListener : public RunListener {
public:
    void on_event(const RunEvent&) override {}
};

}  // namespace

/// Reports of the run on screen, and what they are made of.
class TestReport : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void init() {
        failOnAnyWarning();
        m_folder = std::make_unique<WindowFolder>();
    }

    void thereIsNoneBeforeARun() {
        TestWindow w(*m_folder);
        QVERIFY(!w->actions().saveReport->isEnabled());
        QVERIFY(w->actions().saveReport->toolTip().contains(QStringLiteral("Nothing has run yet.")));
    }

    void ofTheRunOnScreenAsAPage() {
        TestWindow w(*m_folder);
        run(w);
        const QString said = saveBy(w, w->actions().saveReport, m_folder->file("report.html"));
        QVERIFY2(said.contains(QStringLiteral("Saved")), qPrintable(said));
        QCOMPARE(QString::fromUtf8(m_folder->read("report.html")), QStringLiteral("<html>Report on 1 run(s)%1</html>").arg(toText(w->controller().config().run_dir)));
    }

    void ofTheRunOnScreenAsADocument() {
        TestWindow w(*m_folder);
        run(w);
        const QString said = saveBy(w, w->actions().saveReport, m_folder->file("report.pdf"), QStringLiteral("PDF"));
        QVERIFY2(said.contains(QStringLiteral("Saved")), qPrintable(said));
        const QByteArray pdf = m_folder->read("report.pdf");
        QVERIFY(pdf.startsWith("%PDF"));
        QCOMPARE(pagesOf(pdf), 1);
    }

    void theSuffixDecidesWhenItIsTyped() {
        TestWindow w(*m_folder);
        run(w);
        saveBy(w, w->actions().saveReport, m_folder->file("typed.pdf"));  // with the filter for HTML
        QVERIFY(m_folder->read("typed.pdf").startsWith("%PDF"));
    }

    void severalRunsAreComparedAndDamagedOnesNamed() {
        TestWindow w(*m_folder);
        QAction compare;
        connect(&compare, &QAction::triggered, this, [&w] { Q_EMIT w->plots()->runsPage()->reportRequested({QStringLiteral("/runs/a"), QStringLiteral("/runs/b")}); });
        QVERIFY(saveBy(w, &compare, m_folder->file("both.html")).contains(QStringLiteral("Saved")));
        QVERIFY(m_folder->read("both.html").contains("Report on 2 run(s)"));
        QAction damaged;
        connect(&damaged, &QAction::triggered, this, [&w] { w->reports().save({"/runs/damaged"}); });
        QCOMPARE(saveBy(w, &damaged, m_folder->file("none.html")), QStringLiteral("damaged/run.json, line 1: no run. Choose another directory."));
        QVERIFY(w->messages()->kind() == MessageBar::Kind::Error);
        QVERIFY(!QFileInfo::exists(m_folder->file("none.html")));
    }

    void ofARealRun_data() {
        QTest::addColumn<QString>("model");
        QTest::newRow("dense") << "tiny-llama-shakespeare";
        QTest::newRow("experts") << "tiny-qwen3-moe-shakespeare";
    }
    void ofARealRun() {
        QFETCH(QString, model);
        const CoreServices core = coreServices();
        RunConfig config;
        config.model_dir = toPath(QStringLiteral(CALIBENCH_RESOURCES "/demo/") + model);
        config.dataset = toPath(QStringLiteral(CALIBENCH_RESOURCES "/demo/shakespeare.txt"));
        config.run_dir = toPath(m_folder->file("run"));
        config.recipe_yaml = "quant_stage: {quant_modifiers: {AutoRoundModifier: {iters: 3, batch_size: 2, ignore: [lm_head, 're:.*gate$'], scheme: W4A16}}}\n";
        config.num_samples = 2;
        config.seq_len = 32;
        config.threads = 1;
        NoListener listener;
        RunControl control;
        core.runCalibration(config, listener, control);

        const Report report = core.reportOnRuns({config.run_dir, config.run_dir});
        const QString html = QString::fromStdString(core.reportHtml(report));
        QCOMPARE(html.contains(QStringLiteral("Tokens by expert")), model.contains(QStringLiteral("moe")));
        const QByteArray pdf = pdfOf(report);
        QVERIFY(pdf.startsWith("%PDF"));
        QVERIFY2(pagesOf(pdf) >= 6, qPrintable(QString::number(pagesOf(pdf))));
        QVERIFY(!pdf.contains("/Subtype /Image"));  // its plots are drawings
    }

private:
    void run(TestWindow& w) {
        openAll(w, *m_folder);
        w->startRun();
        QTRY_VERIFY(w->controller().state() == RunController::State::Done);
    }

    std::unique_ptr<WindowFolder> m_folder;
};

QTEST_MAIN(TestReport)
#include "tst_report.moc"
