#include <QLabel>
#include <QListWidget>
#include <QRegularExpression>
#include <QSignalSpy>
#include <QSpinBox>
#include <QTest>

#include "core/base/error.h"
#include "ui/dialogs/preflight_dialog.h"

using namespace calibench;

class TestPreflightDialog : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void init() { QTest::failOnWarning(QRegularExpression(QStringLiteral(".*"))); }

    void shows_what_was_found_and_what_to_expect() {
        PreflightReport report;
        report.diagnostics = {{Diagnostic::Severity::Note, "needs a new GPU", 3, 1}};
        report.num_quantized = 28;
        report.source_bytes = 8 << 20;
        report.compressed_bytes = 3 << 20;
        CoreServices services;
        services.checkBeforeRun = [report](const RunConfig& config, const ServingOptions& serving) {
            PreflightReport answer = report;
            if (config.model_dir != "model") throw InputError("asked about another model");
            if (serving.tensor_parallel == 2) answer.diagnostics.push_back({Diagnostic::Severity::Error, "does not divide", 7, 1, {}});
            return answer;
        };
        RunConfig config;
        config.model_dir = "model";
        PreflightDialog dialog(services, config);
        QSignalSpy checked(&dialog, &PreflightDialog::checked);
        QVERIFY(checked.wait());
        const auto* findings = dialog.findChild<QListWidget*>("findings");
        const auto* verdict = dialog.findChild<QLabel*>("verdict");
        QCOMPARE(findings->count(), 1);
        QCOMPARE(findings->item(0)->text(), QString("Line 3: needs a new GPU"));
        QVERIFY(verdict->text().startsWith("Nothing stands against"));
        QCOMPARE(dialog.findChild<QLabel*>("size")->text(), QString::fromUtf8("3.00\u00a0MiB, from 8.00\u00a0MiB"));

        dialog.findChild<QSpinBox*>("tensorParallel")->setValue(2);
        QVERIFY(checked.wait());
        QCOMPARE(findings->count(), 2);
        QVERIFY(verdict->text().contains("would stop"));
    }

    void a_model_that_cannot_be_read_is_a_sentence() {
        CoreServices services;
        services.checkBeforeRun = [](const RunConfig&, const ServingOptions&) -> PreflightReport { throw InputError("config.json is missing."); };
        PreflightDialog dialog(services, {});
        QSignalSpy checked(&dialog, &PreflightDialog::checked);
        QVERIFY(checked.wait());
        QCOMPARE(dialog.findChild<QLabel*>("verdict")->text(), QString("config.json is missing."));
    }
};

QTEST_MAIN(TestPreflightDialog)
#include "tst_preflight_dialog.moc"
