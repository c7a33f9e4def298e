#pragma once

#include <QAbstractListModel>
#include <QIcon>

#include <functional>
#include <vector>

namespace calibench {

/// A line of the command palette.
struct PaletteEntry {
    QString title;
    QString detail;    ///< its shortcut, its folder, or why it cannot be used now
    QString icon;      ///< a symbolic icon's name; may be empty
    bool enabled = true;
    std::function<void()> run;
};

/// The entries that fit what was typed, the best first.
class PaletteModel : public QAbstractListModel {
    Q_OBJECT

public:
    static constexpr int DetailRole = Qt::UserRole;
    static constexpr int UsableRole = Qt::UserRole + 1;  ///< what cannot be used now can still be looked at

    using QAbstractListModel::QAbstractListModel;

    void setEntries(std::vector<PaletteEntry> entries);
    void setPattern(const QString& pattern);
    [[nodiscard]] const PaletteEntry& entry(int row) const { return m_entries[m_shown[static_cast<size_t>(row)]]; }

    [[nodiscard]] int rowCount(const QModelIndex& parent = {}) const override;
    [[nodiscard]] QVariant data(const QModelIndex& index, int role) const override;

private:
    std::vector<PaletteEntry> m_entries;
    std::vector<size_t> m_shown;
};

}  // namespace calibench
