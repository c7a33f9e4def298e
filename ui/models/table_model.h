#pragma once

#include <QAbstractTableModel>

#include <optional>

namespace calibench {

/// A table without a tree below its rows. What lies out of bounds is left out here: a model tells what is in its cells.
class TableModel : public QAbstractTableModel {
    Q_OBJECT

public:
    using QAbstractTableModel::QAbstractTableModel;

    /// These rows under a line of titles, with tabs between the columns, for the clipboard.
    [[nodiscard]] QString plainText(const QList<int>& rows) const;

    [[nodiscard]] int rowCount(const QModelIndex& parent = {}) const final { return parent.isValid() ? 0 : countRows(); }
    [[nodiscard]] int columnCount(const QModelIndex& parent = {}) const final { return parent.isValid() ? 0 : countColumns(); }
    [[nodiscard]] QVariant data(const QModelIndex& index, int role = Qt::DisplayRole) const final;
    [[nodiscard]] QVariant headerData(int section, Qt::Orientation orientation, int role = Qt::DisplayRole) const final;

protected:
    [[nodiscard]] virtual int countRows() const = 0;
    [[nodiscard]] virtual int countColumns() const = 0;
    [[nodiscard]] virtual QVariant cell(int row, int column, int role) const = 0;
    [[nodiscard]] virtual QVariant title(int column, int role) const = 0;
    /// What plainText() tells with all digits. Other cells are copied as they are seen.
    [[nodiscard]] virtual std::optional<double> number(int row, int column) const;

    /// These columns have changed in these ascending rows: one signal for rows that follow each other.
    void announce(const QList<int>& rows, int first, int last);
};

}  // namespace calibench
