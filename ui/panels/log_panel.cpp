#include "ui/panels/log_panel.h"

#include <QAction>
#include <QApplication>
#include <QClipboard>
#include <QHeaderView>
#include <QScrollBar>
#include <QTreeView>
#include <QVBoxLayout>

#include <algorithm>

#include "ui/models/log_model.h"

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
    m_view->setContextMenuPolicy(Qt::ActionsContextMenu);
    auto* copy = new QAction(tr("&Copy as table"), m_view);
    copy->setShortcut(QKeySequence::Copy);
    copy->setShortcutContext(Qt::WidgetShortcut);
    connect(copy, &QAction::triggered, this, [this, &log] {
        QModelIndexList rows = m_view->selectionModel()->selectedRows();
        std::sort(rows.begin(), rows.end());
        if (!rows.isEmpty()) QApplication::clipboard()->setText(log.plainText(rows));
    });
    m_view->addAction(copy);
    connect(m_view, &QTreeView::activated, this, [this](const QModelIndex& index) {
        if (const QString module = index.data(LogModel::ModuleRole).toString(); !module.isEmpty()) Q_EMIT moduleActivated(module);
    });
    // Keep the newest in sight, unless the user has scrolled up to read.
    connect(&log, &QAbstractItemModel::rowsAboutToBeInserted, this, [this] {
        const QScrollBar* bar = m_view->verticalScrollBar();
        if (bar->value() == bar->maximum()) QMetaObject::invokeMethod(m_view, &QTreeView::scrollToBottom, Qt::QueuedConnection);
    });
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->addWidget(m_view);
}

}  // namespace calibench
