#pragma once

#include <QList>
#include <QSortFilterProxyModel>

namespace calibench {

/// Rows one of whose texts in some columns holds the filter's text. Numbers are sorted as numbers; what is not known is last, however it is
/// sorted, and what is alike stays in the model's order.
class TableFilter : public QSortFilterProxyModel {
    Q_OBJECT

public:
    /// `columns`: that are searched; `sortRole`: what they are sorted by, numbers as double, unset where unknown.
    TableFilter(QAbstractItemModel& model, QList<int> columns, int sortRole, QObject* parent = nullptr);

    void setText(const QString& text);

protected:
    bool filterAcceptsRow(int row, const QModelIndex& parent) const override;
    bool lessThan(const QModelIndex& left, const QModelIndex& right) const override;

private:
    const QList<int> m_columns;
    QString m_text;
};

}  // namespace calibench
