#include "ui/palette/palette_model.h"

#include <algorithm>
#include <utility>

#include "ui/palette/fuzzy_match.h"
#include "ui/theme.h"

namespace calibench {

void PaletteModel::setEntries(std::vector<PaletteEntry> entries) {
    beginResetModel();
    m_entries = std::move(entries);
    m_shown.clear();
    endResetModel();
    setPattern({});
}

void PaletteModel::setPattern(const QString& pattern) {
    std::vector<std::pair<int, size_t>> found;
    for (size_t i = 0; i < m_entries.size(); ++i)
        if (const std::optional<int> score = fuzzyScore(pattern, m_entries[i].title)) found.emplace_back(-*score, i);
    std::sort(found.begin(), found.end());  // of equals, the one that was listed first
    beginResetModel();
    m_shown.clear();
    for (const auto& [score, i] : found) m_shown.push_back(i);
    endResetModel();
}

int PaletteModel::rowCount(const QModelIndex& parent) const { return parent.isValid() ? 0 : static_cast<int>(m_shown.size()); }

QVariant PaletteModel::data(const QModelIndex& index, int role) const {
    if (!index.isValid()) return {};
    const PaletteEntry& shown = entry(index.row());
    switch (role) {
        case Qt::DisplayRole: return shown.title;
        case Qt::ToolTipRole: return shown.detail;
        case DetailRole: return shown.detail;
        case UsableRole: return shown.enabled;
        case Qt::AccessibleTextRole: return shown.detail.isEmpty() ? shown.title : tr("%1, %2").arg(shown.title, shown.detail);
        case Qt::DecorationRole: return shown.icon.isEmpty() ? QVariant() : QVariant(symbolicIcon(shown.icon));
        default: return {};
    }
}

}  // namespace calibench
