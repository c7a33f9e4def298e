#pragma once

#include <QAbstractTableModel>
#include <QTime>

#include <vector>

namespace calibench {

/// What happened, newest last.
class LogModel : public QAbstractTableModel {
    Q_OBJECT

public:
    enum class Severity { Info, Error };
    enum Column { TimeColumn, MessageColumn, ModuleColumn, NUM_COLUMNS };
    enum Role { ModuleRole = Qt::UserRole };

    using QAbstractTableModel::QAbstractTableModel;

    void add(Severity severity, const QString& message, const QString& module = {});
    void clear();
    /// Tab-separated, for the clipboard.
    [[nodiscard]] QString plainText(const QModelIndexList& rows) const;

    [[nodiscard]] int rowCount(const QModelIndex& parent = {}) const override;
    [[nodiscard]] int columnCount(const QModelIndex& parent = {}) const override;
    [[nodiscard]] QVariant data(const QModelIndex& index, int role = Qt::DisplayRole) const override;
    [[nodiscard]] QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

private:
    struct Entry {
        QTime time;
        Severity severity = Severity::Info;
        QString message, module;
    };

    std::vector<Entry> m_entries;
};

}  // namespace calibench
