#include "ui/models/module_filter.h"

#include <QRegularExpression>

#include "ui/models/model_tree_model.h"

namespace calibench {

ModuleFilter::ModuleFilter(ModelTreeModel& model, QObject* parent) : QSortFilterProxyModel(parent), m_model(model) {
    setDynamicSortFilter(false);
    setSortRole(ModelTreeModel::SortRole);
    // Before this model, which asks again as soon as the source has changed, hears of it.
    connect(&m_model, &QAbstractItemModel::modelReset, this, &ModuleFilter::recompute);
    setSourceModel(&m_model);
    connect(&m_model, &ModelTreeModel::schemesChanged, this, [this] {
        if (!m_text.isEmpty()) setText(m_text);
    });
}

void ModuleFilter::setText(const QString& text) {
    m_text = text;
    recompute();
    invalidateFilter();
}

void ModuleFilter::recompute() {
    m_shown.clear();
    m_matches = 0;
    m_problem.clear();
    if (m_text.isEmpty()) return;
    std::function<bool(const QModelIndex&)> matches = [this](const QModelIndex& index) {
        return index.data(ModelTreeModel::ModuleRole).toString().contains(m_text, Qt::CaseInsensitive) ||
               index.data().toString().compare(m_text, Qt::CaseInsensitive) == 0 ||
               (!index.model()->hasChildren(index) && index.siblingAtColumn(ModelTreeModel::SchemeColumn).data().toString().contains(m_text, Qt::CaseInsensitive));
    };
    if (m_text.startsWith(QLatin1String("re:"))) {
        const QRegularExpression pattern(m_text.mid(3));
        if (!pattern.isValid()) m_problem = tr("This is no regular expression: %1.").arg(pattern.errorString());
        matches = [pattern](const QModelIndex& index) {  // from the start of the name, as targets do; of modules only
            if (!pattern.isValid() || index.model()->hasChildren(index)) return false;
            return pattern.match(index.data(ModelTreeModel::ModuleRole).toString(), 0, QRegularExpression::NormalMatch,
                                 QRegularExpression::AnchorAtOffsetMatchOption).hasMatch();
        };
    }
    for (int row = 0; row < m_model.rowCount(); ++row) decide(m_model.index(row, 0), false, matches);
}

bool ModuleFilter::decide(const QModelIndex& index, bool parentMatches, const std::function<bool(const QModelIndex&)>& matches) {
    const bool itself = matches(index);
    m_matches += itself;
    bool shown = itself || parentMatches;
    for (int row = 0; row < m_model.rowCount(index); ++row)
        if (decide(m_model.index(row, 0, index), itself || parentMatches, matches)) shown = true;
    if (index.internalId() >= m_shown.size()) m_shown.resize(index.internalId() + 1);
    m_shown[index.internalId()] = shown;
    return shown;
}

bool ModuleFilter::filterAcceptsRow(int row, const QModelIndex& parent) const {
    if (m_text.isEmpty()) return true;
    const quintptr id = m_model.index(row, 0, parent).internalId();
    return id < m_shown.size() && m_shown[id];
}

}  // namespace calibench
