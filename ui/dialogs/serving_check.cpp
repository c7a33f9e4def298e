#include "ui/dialogs/serving_check.h"

#include <QHBoxLayout>
#include <QLabel>
#include <QSpinBox>
#include <QVBoxLayout>

#include <algorithm>

#include "ui/background.h"
#include "ui/dialogs/findings_list.h"

namespace calibench {

ServingCheck::ServingCheck(const CoreServices& services, RunConfig config, QWidget* parent)
    : QWidget(parent), m_check(services.checkBeforeRun), m_config(std::move(config)), m_tensorParallel(new QSpinBox), m_verdict(new QLabel), m_findings(new FindingsList) {
    m_tensorParallel->setRange(1, 64);
    m_tensorParallel->setSuffix(tr(" GPU(s) per layer"));
    m_tensorParallel->setToolTip(tr("GPUs that vLLM will spread each layer over (tensor parallelism)"));
    m_tensorParallel->setAccessibleName(tr("GPUs per layer in vLLM"));
    m_verdict->setWordWrap(true);
    m_verdict->setObjectName(QStringLiteral("servingVerdict"));
    m_findings->setMaximumHeight(112);
    auto* head = new QHBoxLayout;
    head->addWidget(m_verdict, 1);
    head->addWidget(m_tensorParallel, 0, Qt::AlignTop);
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->addLayout(head);
    layout->addWidget(m_findings);
    m_findings->hide();
    connect(m_tensorParallel, &QSpinBox::valueChanged, this, &ServingCheck::check);
    check();
}

int ServingCheck::tensorParallel() const { return m_tensorParallel->value(); }

void ServingCheck::check() {
    m_verdict->setText(tr("Checking…"));
    const quint64 request = ++m_request;
    const auto work = [check = m_check, config = m_config, serving = ServingOptions{tensorParallel()}] { return check(config, serving); };
    runInBackground(this, work, [this, request](const Outcome<PreflightReport>& outcome) {
        if (request != m_request) return;  // the question has changed meanwhile
        m_report = outcome.value;
        if (m_report) showReport();
        else m_verdict->setText(outcome.error);
        Q_EMIT checked();
    });
}

void ServingCheck::showReport() {
    std::vector<Diagnostic> findings = m_report->serving;
    std::stable_sort(findings.begin(), findings.end(), [](const Diagnostic& a, const Diagnostic& b) { return a.severity < b.severity; });  // errors first
    const auto errors = static_cast<int>(std::count_if(findings.begin(), findings.end(),
                                                       [](const Diagnostic& finding) { return finding.severity == Diagnostic::Severity::Error; }));
    m_verdict->setText(errors > 0 ? tr("%n problem(s) would keep vLLM from loading it.", nullptr, errors) : tr("Nothing stands against loading it in vLLM."));
    m_findings->showFindings(findings);
    m_findings->setVisible(!findings.empty());
}

}  // namespace calibench
