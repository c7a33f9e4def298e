#pragma once

#include <QAbstractTableModel>
#include <QHash>
#include <QTime>

#include <utility>
#include <vector>

namespace calibench {

/// What happened, newest last. A warning that repeats is one row with a count.
class LogModel : public QAbstractTableModel {
    Q_OBJECT

public:
    enum class Severity { Info, Warning, Error };
    enum Column { TimeColumn, MessageColumn, ModuleColumn, CountColumn, NUM_COLUMNS };
    enum Role { ModuleRole = Qt::UserRole, SeverityRole };

    using QAbstractTableModel::QAbstractTableModel;

    void add(Severity severity, const QString& message, const QString& module = {});
    void clear();
    [[nodiscard]] int warningCount() const { return static_cast<int>(m_warningRows.size()); }

    [[nodiscard]] int rowCount(const QModelIndex& parent = {}) const override;
    [[nodiscard]] int columnCount(const QModelIndex& parent = {}) const override;
    [[nodiscard]] QVariant data(const QModelIndex& index, int role = Qt::DisplayRole) const override;
    [[nodiscard]] QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

Q_SIGNALS:
    void warningCountChanged(int count);

private:
    struct Entry {
        QTime time;
        Severity severity = Severity::Info;
        QString message, module;
        int count = 1;
    };

    std::vector<Entry> m_entries;
    QHash<std::pair<QString, QString>, int> m_warningRows;  ///< module and message -> row
};

}  // namespace calibench
