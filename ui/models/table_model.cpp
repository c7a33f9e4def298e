#include "ui/models/table_model.h"

#include "ui/plots/plot_table.h"

namespace calibench {

QVariant TableModel::data(const QModelIndex& index, int role) const {
    return checkIndex(index, CheckIndexOption::IndexIsValid) ? cell(index.row(), index.column(), role) : QVariant();
}

QVariant TableModel::headerData(int section, Qt::Orientation orientation, int role) const {
    return orientation == Qt::Horizontal && section >= 0 && section < countColumns() ? title(section, role) : QVariant();
}

std::optional<double> TableModel::number(int, int) const { return {}; }

QString TableModel::plainText(const QList<int>& rows) const {
    PlotTable table;
    for (int column = 0; column < countColumns(); ++column) table.header << title(column, Qt::DisplayRole).toString();
    for (const int row : rows) {
        QStringList cells;
        for (int column = 0; column < countColumns(); ++column) {
            const std::optional<double> known = number(row, column);
            cells << (known ? PlotTable::cell(*known) : cell(row, column, Qt::DisplayRole).toString());
        }
        table.rows << cells;
    }
    return table.text();
}

void TableModel::announce(const QList<int>& rows, int first, int last) {
    for (qsizetype begin = 0, end = 0; begin < rows.size(); begin = end) {
        while (end < rows.size() && rows[end] - rows[begin] == end - begin) ++end;
        Q_EMIT dataChanged(index(rows[begin], first), index(rows[end - 1], last));
    }
}

}  // namespace calibench
