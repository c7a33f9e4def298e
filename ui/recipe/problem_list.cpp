#include "ui/recipe/problem_list.h"

#include <QApplication>

#include "ui/theme.h"

namespace calibench {

namespace {

constexpr int LineRole = Qt::UserRole;
constexpr int FixRole = Qt::UserRole + 1;  ///< index of a fix; absent for a problem

}  // namespace

ProblemList::ProblemList(QWidget* parent) : QListWidget(parent) {
    setWordWrap(true);
    setFrameShape(QFrame::NoFrame);
    setMaximumHeight(140);
    setSizeAdjustPolicy(AdjustToContents);
    setSizePolicy(QSizePolicy::Preferred, QSizePolicy::Maximum);
    setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    setVerticalScrollMode(ScrollPerPixel);
    setIconSize({14, 14});
    setAccessibleName(tr("Problems of the recipe"));
    connect(this, &QListWidget::itemClicked, this, &ProblemList::activate);
    connect(this, &QListWidget::itemActivated, this, [this](const QListWidgetItem* item) {
        if (!(QApplication::mouseButtons() & Qt::LeftButton)) activate(item);  // a double click has clicked already
    });
}

void ProblemList::show(const std::vector<Diagnostic>& diagnostics) {
    clear();
    m_fixes.clear();
    for (const Diagnostic& diagnostic : diagnostics) {
        addProblem(diagnostic);
        for (const Fix& fix : diagnostic.fixes) addFix(fix);
    }
    setVisible(!diagnostics.empty());
}

void ProblemList::addProblem(const Diagnostic& diagnostic) {
    const QString place = diagnostic.line > 0 ? tr("Line %1: ").arg(diagnostic.line) : QString();
    auto* item = new QListWidgetItem(place + QString::fromStdString(diagnostic.message), this);
    item->setData(LineRole, diagnostic.line);
    const bool isError = diagnostic.severity == Diagnostic::Severity::Error;
    const bool isNote = diagnostic.severity == Diagnostic::Severity::Note;
    item->setIcon(symbolicIcon(isNote ? QStringLiteral("info") : QStringLiteral("warning")));
    if (!isNote) item->setForeground(isError ? errorColour(palette()) : warningColour(palette()));
}

void ProblemList::addFix(const Fix& fix) {
    auto* item = new QListWidgetItem(symbolicIcon(QStringLiteral("lamp")), QString::fromStdString(fix.label), this);
    item->setData(FixRole, static_cast<int>(m_fixes.size()));
    item->setForeground(palette().color(QPalette::Link));
    QFont underlined = font();
    underlined.setUnderline(true);
    item->setFont(underlined);
    item->setToolTip(tr("Make this change; Undo takes it back"));
    m_fixes.push_back(fix);
}

void ProblemList::setFixesEnabled(bool enabled) {
    for (int row = 0; row < count(); ++row)
        if (item(row)->data(FixRole).isValid()) item(row)->setFlags(enabled ? Qt::ItemIsEnabled | Qt::ItemIsSelectable : Qt::NoItemFlags);
}

void ProblemList::activate(const QListWidgetItem* item) {
    const QVariant fix = item->data(FixRole);
    if (!fix.isValid()) return Q_EMIT lineRequested(item->data(LineRole).toInt());
    const Fix chosen = m_fixes[static_cast<size_t>(fix.toInt())];  // this list is filled anew meanwhile
    Q_EMIT fixChosen(chosen);
}

}  // namespace calibench
