#include "ui/dialogs/preflight_dialog.h"

#include <QDialogButtonBox>
#include <QFormLayout>
#include <QLabel>
#include <QSpinBox>
#include <QVBoxLayout>

#include <algorithm>

#include "ui/background.h"
#include "ui/dialogs/findings_list.h"
#include "ui/format.h"

namespace calibench {

PreflightDialog::PreflightDialog(const CoreServices& services, RunConfig config, QWidget* parent)
    : QDialog(parent), m_check(services.checkBeforeRun), m_config(std::move(config)), m_tensorParallel(new QSpinBox), m_verdict(new QLabel),
      m_findings(new FindingsList), m_modules(new QLabel), m_size(new QLabel), m_memory(new QLabel), m_time(new QLabel) {
    setWindowTitle(tr("Check before running"));
    resize(640, 420);
    m_tensorParallel->setObjectName(QStringLiteral("tensorParallel"));
    m_tensorParallel->setRange(1, 64);
    m_tensorParallel->setToolTip(tr("GPUs that vLLM will spread each layer over (tensor parallelism)"));
    m_verdict->setObjectName(QStringLiteral("verdict"));
    m_verdict->setWordWrap(true);
    m_findings->setObjectName(QStringLiteral("findings"));
    m_size->setObjectName(QStringLiteral("size"));

    auto* facts = new QFormLayout;
    facts->addRow(tr("GPUs per layer in vLLM"), m_tensorParallel);
    facts->addRow(tr("Quantized"), m_modules);
    facts->addRow(tr("Checkpoint"), m_size);
    facts->addRow(tr("Memory"), m_memory);
    facts->addRow(tr("Time"), m_time);
    auto* buttons = new QDialogButtonBox(QDialogButtonBox::Close);
    connect(buttons, &QDialogButtonBox::rejected, this, &QDialog::reject);
    auto* layout = new QVBoxLayout(this);
    layout->addWidget(m_verdict);
    layout->addWidget(m_findings, 1);
    layout->addLayout(facts);
    layout->addWidget(buttons);

    connect(m_tensorParallel, &QSpinBox::valueChanged, this, &PreflightDialog::startCheck);
    startCheck();
}

void PreflightDialog::startCheck() {
    m_verdict->setText(tr("Checking…"));
    const quint64 request = ++m_request;
    const auto work = [check = m_check, config = m_config, serving = ServingOptions{m_tensorParallel->value()}] { return check(config, serving); };
    runInBackground(this, work, [this, request](const Outcome<PreflightReport>& outcome) {
        if (request != m_request) return;  // the question has changed meanwhile
        if (outcome.value) showReport(*outcome.value);
        else m_verdict->setText(outcome.error);
        Q_EMIT checked();
    });
}

void PreflightDialog::showReport(const PreflightReport& report) {
    m_findings->showFindings(report.diagnostics);
    const auto errors = std::count_if(report.diagnostics.begin(), report.diagnostics.end(),
                                      [](const Diagnostic& finding) { return finding.severity == Diagnostic::Severity::Error; });
    m_verdict->setText(errors > 0 ? tr("%n problem(s) would stop the run or vLLM.", nullptr, static_cast<int>(errors)) : tr("Nothing stands against the run, or against loading its checkpoint in vLLM."));
    const bool estimated = report.compressed_bytes > 0;  // not for a recipe that cannot run
    const QString unknown = tr("unknown until the problems are solved");
    m_modules->setText(estimated ? tr("%n module(s), %1 bits per weight", nullptr, static_cast<int>(report.num_quantized)).arg(formatNumber(report.bits_per_quantized_weight)) : unknown);
    m_size->setText(estimated ? tr("%1, from %2").arg(formatBytes(static_cast<double>(report.compressed_bytes)), formatBytes(static_cast<double>(report.source_bytes))) : unknown);
    m_memory->setText(estimated ? tr("about %1").arg(formatBytes(static_cast<double>(report.peak_memory_bytes))) : unknown);
    m_time->setText(estimated ? tr("about %1 on this machine").arg(formatDuration(report.run_seconds)) : unknown);
}

}  // namespace calibench
