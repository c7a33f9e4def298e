#pragma once

#include <QAbstractTableModel>

#include "ui/runs/run_list.h"

namespace calibench {

/// One run a row. The title can be changed in place.
class RunsModel : public QAbstractTableModel {
    Q_OBJECT

public:
    enum Column { Title, Ending, Scheme, Loss, Size, PerplexityColumn, Time, Began, Tuning, Samples, Model, NUM_COLUMNS };
    enum Role { SortRole = Qt::UserRole, DirectoryRole };

    /// `list` must outlive the model.
    explicit RunsModel(RunList& list, QObject* parent = nullptr);

    [[nodiscard]] const RunList& list() const { return m_list; }
    /// Tab-separated raw values under a line of titles, for the clipboard.
    [[nodiscard]] QString plainText(const QList<int>& rows) const;

    [[nodiscard]] int rowCount(const QModelIndex& parent = {}) const override;
    [[nodiscard]] int columnCount(const QModelIndex& parent = {}) const override;
    [[nodiscard]] QVariant data(const QModelIndex& index, int role = Qt::DisplayRole) const override;
    bool setData(const QModelIndex& index, const QVariant& value, int role = Qt::EditRole) override;
    [[nodiscard]] Qt::ItemFlags flags(const QModelIndex& index) const override;
    [[nodiscard]] QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

private:
    [[nodiscard]] const KnownRun& run(int row) const { return m_list.runs()[static_cast<size_t>(row)]; }
    [[nodiscard]] static QString text(const KnownRun& run, Column column);
    [[nodiscard]] static QVariant sortKey(const KnownRun& run, Column column);
    [[nodiscard]] static QString toolTip(const KnownRun& run, Column column);

    RunList& m_list;
};

}  // namespace calibench
