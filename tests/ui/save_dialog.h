#pragma once

#include <QAbstractButton>
#include <QDialogButtonBox>
#include <QFileDialog>
#include <QLineEdit>
#include <QPointer>
#include <QPushButton>
#include <QSignalSpy>
#include <QTest>

#include "tests/ui/window_fixture.h"
#include "ui/panels/message_bar.h"
#include "ui/report/file_saver.h"

namespace calibench::test {

/// Triggers a saving command and answers its dialog as a person would. `filter`: what the kind chosen begins with; empty: the first.
/// Returns what the message bar says in the end.
inline QString saveBy(TestWindow& w, QAction* action, const QString& file, const QString& filter = {}) {
    QSignalSpy ended(&w->saver(), &FileSaver::ended);
    action->trigger();
    const QPointer<QFileDialog> dialog = w->findChild<QFileDialog*>();
    if (!dialog) return QStringLiteral("no dialog");
    for (const QString& name : dialog->nameFilters())
        if (!filter.isEmpty() && name.startsWith(filter)) {
            dialog->selectNameFilter(name);
            Q_EMIT dialog->filterSelected(name);
        }
    dialog->findChild<QLineEdit*>()->setText(file);
    dialog->findChild<QDialogButtonBox*>()->button(QDialogButtonBox::Save)->click();
    if (ended.isEmpty() && !ended.wait(10000)) return QStringLiteral("nothing was saved");
    if (!QTest::qWaitFor([&] { return !dialog; }, 5000)) return QStringLiteral("the dialog stays");
    return w->messages()->text();
}

}  // namespace calibench::test
