#include "ui/models/table_filter.h"

#include <algorithm>
#include <utility>

namespace calibench {

TableFilter::TableFilter(QAbstractItemModel& model, QList<int> columns, int sortRole, QObject* parent)
    : QSortFilterProxyModel(parent), m_columns(std::move(columns)) {
    setSortRole(sortRole);
    setSourceModel(&model);
}

void TableFilter::setText(const QString& text) {
    m_text = text;
    invalidateFilter();
}

bool TableFilter::filterAcceptsRow(int row, const QModelIndex& parent) const {
    return m_text.isEmpty() || std::any_of(m_columns.begin(), m_columns.end(), [&](int column) {
        return sourceModel()->index(row, column, parent).data().toString().contains(m_text, Qt::CaseInsensitive);
    });
}

bool TableFilter::lessThan(const QModelIndex& left, const QModelIndex& right) const {
    const QVariant a = left.data(sortRole()), b = right.data(sortRole());
    if (a.isValid() != b.isValid()) return a.isValid() == (sortOrder() == Qt::AscendingOrder);
    const bool numbers = a.typeId() == QMetaType::Double && b.typeId() == QMetaType::Double;
    if (numbers && a.toDouble() != b.toDouble()) return a.toDouble() < b.toDouble();
    if (!numbers && a != b) return QString::localeAwareCompare(a.toString(), b.toString()) < 0;
    return (left.row() < right.row()) == (sortOrder() == Qt::AscendingOrder);
}

}  // namespace calibench
