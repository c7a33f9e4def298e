#pragma once

#include <QHash>
#include <QIcon>
#include <QTime>

#include <utility>
#include <vector>

#include "core/calibration/run_events.h"
#include "ui/models/table_model.h"

namespace calibench {

/// The warnings of a run, newest last; one that repeats is one row with a count. What is ignored stays, marked, for a filter to hide.
class WarningModel : public TableModel {
    Q_OBJECT

public:
    enum Column { KindColumn, ModuleColumn, MessageColumn, CountColumn, TimeColumn, NUM_COLUMNS };
    enum Role {
        SortRole = Qt::UserRole,  ///< the raw value behind the text
        KindRole,                 ///< a Warning::Kind, as int
        ModuleRole,               ///< on each column
        IgnoredRole,
    };

    using TableModel::TableModel;

    void add(const std::vector<Warning>& warnings);
    void clear();
    void setIgnored(const QList<int>& rows, bool ignored);
    void ignoreKind(Warning::Kind kind);  ///< what there is of it; later warnings show again
    [[nodiscard]] int shownCount() const { return static_cast<int>(m_rows.size()) - m_ignored; }
    [[nodiscard]] int ignoredCount() const { return m_ignored; }

    [[nodiscard]] static QString nameOf(Warning::Kind kind);  ///< "Clipped range"
    [[nodiscard]] static QIcon iconOf(Warning::Kind kind);

protected:
    [[nodiscard]] int countRows() const override { return static_cast<int>(m_rows.size()); }
    [[nodiscard]] int countColumns() const override { return NUM_COLUMNS; }
    [[nodiscard]] QVariant cell(int row, int column, int role) const override;
    [[nodiscard]] QVariant title(int column, int role) const override;
    [[nodiscard]] std::optional<double> number(int row, int column) const override;

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

    std::vector<Row> m_rows;
    QHash<std::pair<QString, QString>, int> m_known;  ///< module and message -> row
    int m_ignored = 0;
};

}  // namespace calibench
