#include "ui/models/warning_filter.h"

#include "ui/models/warning_model.h"

namespace calibench {

WarningFilter::WarningFilter(QObject* parent) : QSortFilterProxyModel(parent) { setSortRole(WarningModel::SortRole); }

void WarningFilter::setText(const QString& text) {
    m_text = text.trimmed();
    invalidateFilter();
}

void WarningFilter::setKind(std::optional<Warning::Kind> kind) {
    m_kind = kind;
    invalidateFilter();
}

void WarningFilter::setIgnoredShown(bool shown) {
    m_ignoredShown = shown;
    invalidateFilter();
}

bool WarningFilter::filterAcceptsRow(int row, const QModelIndex& parent) const {
    const QModelIndex message = sourceModel()->index(row, WarningModel::MessageColumn, parent);
    if (!m_ignoredShown && message.data(WarningModel::IgnoredRole).toBool()) return false;
    if (m_kind && message.data(WarningModel::KindRole).toInt() != static_cast<int>(*m_kind)) return false;
    return m_text.isEmpty() || message.data().toString().contains(m_text, Qt::CaseInsensitive) ||
           message.data(WarningModel::ModuleRole).toString().contains(m_text, Qt::CaseInsensitive);
}

}  // namespace calibench
