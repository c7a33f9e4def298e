#include "ui/panels/log_panel.h"

#include <QAction>
#include <QApplication>
#include <QClipboard>
#include <QHeaderView>
#include <QScrollBar>
#include <QTreeView>

#include <algorithm>

#include "ui/command.h"
#include "ui/models/log_model.h"
#include "ui/panels/page_parts.h"

namespace calibench {

LogPanel::LogPanel(LogModel& log, QWidget* parent) : QWidget(parent), m_view(new QTreeView) {
    m_view->setModel(&log);
    m_view->setRootIsDecorated(false);
    m_view->setUniformRowHeights(true);
    m_view->setFrameShape(QFrame::NoFrame);
    m_view->setAlternatingRowColors(true);
    m_view->setAccessibleName(tr("Log"));
    QHeaderView* header = m_view->header();
    header->setStretchLastSection(false);
    header->setSectionResizeMode(LogModel::MessageColumn, QHeaderView::Stretch);
    const int digit = fontMetrics().horizontalAdvance(QLatin1Char('0'));
    m_view->setColumnWidth(LogModel::TimeColumn, 10 * digit);
    header->setSectionResizeMode(LogModel::ModuleColumn, QHeaderView::ResizeToContents);
    header->setResizeContentsPrecision(0);  // of the visible rows: a long log stays quick
    m_view->setSelectionMode(QAbstractItemView::ExtendedSelection);
    const auto* copy = addCommand({{}, tr("&Copy as table"), QKeySequence::Copy, tr("Copy the selected rows, with tabs between the columns")}, m_view);
    connect(copy, &QAction::triggered, this, [this, &log] {
        QList<int> rows;
        for (const QModelIndex& row : m_view->selectionModel()->selectedRows()) rows << row.row();
        std::sort(rows.begin(), rows.end());
        if (!rows.isEmpty()) QApplication::clipboard()->setText(log.plainText(rows));
    });
    connect(m_view, &QTreeView::activated, this, [this](const QModelIndex& index) {
        if (const QString module = index.data(LogModel::ModuleRole).toString(); !module.isEmpty()) Q_EMIT moduleActivated(module);
    });
    // Keep the newest in sight, unless the user has scrolled up to read.
    connect(&log, &QAbstractItemModel::rowsAboutToBeInserted, this, [this] {
        const QScrollBar* bar = m_view->verticalScrollBar();
        if (bar->value() == bar->maximum()) QMetaObject::invokeMethod(m_view, &QTreeView::scrollToBottom, Qt::QueuedConnection);
    });
    fill(this, {m_view});
}

}  // namespace calibench
