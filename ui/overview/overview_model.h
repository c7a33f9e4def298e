#pragma once

#include <QHash>
#include <QSortFilterProxyModel>

#include <vector>

#include "ui/models/table_model.h"
#include "ui/overview/metric.h"

namespace calibench {

class OverviewLoader;

/// Every module that the recipe quantizes with what is known of it: a row is there from the beginning and fills in when its module was
/// looked at.
class OverviewModel : public TableModel {
    Q_OBJECT

public:
    enum Column { ModuleColumn, FirstMetric, ReasonColumn = FirstMetric + 9, SchemeColumn, NUM_COLUMNS };  ///< metrics in the order of MetricKind
    enum Role { SortRole = Qt::UserRole, ModuleRole };

    /// `loader` must outlive the model.
    explicit OverviewModel(const OverviewLoader& loader, QObject* parent = nullptr);

    [[nodiscard]] static Column columnOf(MetricKind kind) { return static_cast<Column>(FirstMetric + static_cast<int>(kind)); }
    [[nodiscard]] QModelIndex indexOf(const QString& module) const;
    [[nodiscard]] const OverviewLoader& loader() const { return m_loader; }

protected:
    [[nodiscard]] int countRows() const override { return m_rows; }
    [[nodiscard]] int countColumns() const override { return NUM_COLUMNS; }
    [[nodiscard]] QVariant cell(int row, int column, int role) const override;
    [[nodiscard]] QVariant title(int column, int role) const override;
    [[nodiscard]] std::optional<double> number(int row, int column) const override;

private:
    void takeModules();
    void takeRows(const QList<int>& rows);
    void findLargest();
    [[nodiscard]] QVariant metricData(int row, MetricKind kind, int role) const;

    const OverviewLoader& m_loader;
    int m_rows = 0;
    QHash<QString, int> m_index;
    std::vector<double> m_largest;  ///< of each metric, finite: a whole cell's bar
};

/// Rows whose module, scheme or reason holds the text, and, when asked for, those with a number that is worse than a limit. The worst
/// are first until a header is clicked; what is not known yet is last, however it is sorted.
class OverviewFilter : public QSortFilterProxyModel {
    Q_OBJECT

public:
    explicit OverviewFilter(OverviewModel& model, QObject* parent = nullptr);

    void setText(const QString& text);
    void setLimit(MetricKind kind, const std::optional<double>& shown);  ///< nothing: all rows

protected:
    bool filterAcceptsRow(int row, const QModelIndex& parent) const override;
    bool lessThan(const QModelIndex& left, const QModelIndex& right) const override;

private:
    OverviewModel& m_model;
    QString m_text;
    MetricKind m_kind = MetricKind::Sqnr;
    std::optional<double> m_limit;
};

}  // namespace calibench
