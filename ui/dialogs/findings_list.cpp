#include "ui/dialogs/findings_list.h"

#include <QStyle>

namespace calibench {

namespace {

QStyle::StandardPixmap iconOf(Diagnostic::Severity severity) {
    switch (severity) {
        case Diagnostic::Severity::Error: return QStyle::SP_MessageBoxCritical;
        case Diagnostic::Severity::Warning: return QStyle::SP_MessageBoxWarning;
        default: return QStyle::SP_MessageBoxInformation;
    }
}

}  // namespace

FindingsList::FindingsList(QWidget* parent) : QListWidget(parent) {
    setAccessibleName(tr("Findings"));
    setWordWrap(true);
    setSelectionMode(QAbstractItemView::ExtendedSelection);
}

void FindingsList::showFindings(const std::vector<Diagnostic>& findings) {
    clear();
    for (const Diagnostic& finding : findings) {
        const QString text = QString::fromStdString(finding.message);
        new QListWidgetItem(style()->standardIcon(iconOf(finding.severity)), finding.line > 0 ? tr("Line %1: %2").arg(finding.line).arg(text) : text, this);
    }
}

}  // namespace calibench
