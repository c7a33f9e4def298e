#pragma once

#include <QAbstractTableModel>
#include <QHash>
#include <QIcon>
#include <QTime>

#include <utility>
#include <vector>

#include "core/calibration/run_events.h"

namespace calibench {

/// The warnings of a run, newest last; one that repeats is one row with a count. What is ignored stays, marked, for a filter to hide.
class WarningModel : public QAbstractTableModel {
    Q_OBJECT

public:
    enum Column { KindColumn, ModuleColumn, MessageColumn, CountColumn, TimeColumn, NUM_COLUMNS };
    enum Role {
        SortRole = Qt::UserRole,  ///< the raw value behind the text
        KindRole,                 ///< a Warning::Kind, as int
        ModuleRole,               ///< on each column
        IgnoredRole,
    };

    using QAbstractTableModel::QAbstractTableModel;

    void add(const std::vector<Warning>& warnings);
    void clear();
    void setIgnored(const std::vector<int>& rows, bool ignored);
    void ignoreKind(Warning::Kind kind);  ///< what there is of it; later warnings show again
    [[nodiscard]] int shownCount() const { return static_cast<int>(m_rows.size()) - m_ignored; }
    [[nodiscard]] int ignoredCount() const { return m_ignored; }
    /// Tab-separated, under a line of titles, for the clipboard.
    [[nodiscard]] QString plainText(const std::vector<int>& rows) const;

    [[nodiscard]] static QString nameOf(Warning::Kind kind);  ///< "Clipped range"
    [[nodiscard]] static QIcon iconOf(Warning::Kind kind);

    [[nodiscard]] int rowCount(const QModelIndex& parent = {}) const override;
    [[nodiscard]] int columnCount(const QModelIndex& parent = {}) const override;
    [[nodiscard]] QVariant data(const QModelIndex& index, int role = Qt::DisplayRole) const override;
    [[nodiscard]] QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

Q_SIGNALS:
    void countChanged();

private:
    struct Row {
        Warning::Kind kind = Warning::Kind::General;
        QString module, message;
        QTime time;  ///< of the first
        int count = 1;
        bool ignored = false;
    };

    [[nodiscard]] QString text(const Row& row, int column) const;
    /// One signal for rows that follow each other.
    void announce(std::vector<int> rows, Column first, Column last);

    std::vector<Row> m_rows;
    QHash<std::pair<QString, QString>, int> m_known;  ///< module and message -> row
    int m_ignored = 0;
};

}  // namespace calibench
