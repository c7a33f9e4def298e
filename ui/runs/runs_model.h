#pragma once

#include "ui/models/table_model.h"
#include "ui/runs/run_list.h"

namespace calibench {

/// One run a row. The title can be changed in place.
class RunsModel : public TableModel {
    Q_OBJECT

public:
    enum Column { Title, Ending, Scheme, Loss, Size, PerplexityColumn, Time, Began, Tuning, Samples, Model, NUM_COLUMNS };
    enum Role { SortRole = Qt::UserRole, DirectoryRole };

    /// `list` must outlive the model.
    explicit RunsModel(RunList& list, QObject* parent = nullptr);

    [[nodiscard]] const RunList& list() const { return m_list; }

    bool setData(const QModelIndex& index, const QVariant& value, int role = Qt::EditRole) override;
    [[nodiscard]] Qt::ItemFlags flags(const QModelIndex& index) const override;

protected:
    [[nodiscard]] int countRows() const override { return static_cast<int>(m_list.runs().size()); }
    [[nodiscard]] int countColumns() const override { return NUM_COLUMNS; }
    [[nodiscard]] QVariant cell(int row, int column, int role) const override;
    [[nodiscard]] QVariant title(int column, int role) const override;
    [[nodiscard]] std::optional<double> number(int row, int column) const override;

private:
    [[nodiscard]] const KnownRun& run(int row) const { return m_list.runs()[static_cast<size_t>(row)]; }
    [[nodiscard]] static QString text(const KnownRun& run, Column column);
    [[nodiscard]] static QVariant sortKey(const KnownRun& run, Column column);
    [[nodiscard]] static QString toolTip(const KnownRun& run, Column column);

    RunList& m_list;
};

}  // namespace calibench
