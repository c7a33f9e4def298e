#include "ui/panels/row_table.h"

#include <QAbstractProxyModel>
#include <QHeaderView>
#include <QLineEdit>
#include <QTreeView>

#include <algorithm>

#include "ui/models/bar_delegate.h"
#include "ui/theme.h"

namespace calibench {

void styleRowTable(QTreeView* table, const QFont& font, const QString& accessibleName) {
    table->setItemDelegate(new BarDelegate(table));
    table->setRootIsDecorated(false);
    table->setUniformRowHeights(true);
    table->setAlternatingRowColors(true);
    table->setFrameShape(QFrame::NoFrame);
    table->setSelectionMode(QAbstractItemView::ExtendedSelection);
    table->setAccessibleName(accessibleName);
    table->setSortingEnabled(true);
    QFont small = font;
    small.setPointSizeF(small.pointSizeF() * 0.92);
    table->setFont(small);
    table->header()->setFont(small);
}

void styleFilterField(QLineEdit* field, const QString& placeholder, const QString& accessibleName) {
    field->setPlaceholderText(placeholder);
    field->setClearButtonEnabled(true);
    field->addAction(symbolicIcon(QStringLiteral("search")), QLineEdit::LeadingPosition);
    field->setAccessibleName(accessibleName);
}

QList<int> selectedSourceRows(const QTreeView& table) {
    const auto* proxy = qobject_cast<const QAbstractProxyModel*>(table.model());
    QList<int> rows;
    for (const QModelIndex& row : table.selectionModel()->selectedRows()) rows << row.row();
    std::sort(rows.begin(), rows.end());
    for (int& row : rows) row = proxy->mapToSource(proxy->index(row, 0)).row();
    return rows;
}

}  // namespace calibench
