#pragma once

#include <QStyledItemDelegate>

namespace calibench {

/// Paints a bar behind a cell's text, as long as the number that BarRole gives: 0 .. 1 of the cell. No number, no bar.
class BarDelegate : public QStyledItemDelegate {
    Q_OBJECT

public:
    enum Role { BarRole = Qt::UserRole + 100, AlarmRole };  ///< AlarmRole true: in the colour of warnings

    using QStyledItemDelegate::QStyledItemDelegate;

    void paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) const override;
    [[nodiscard]] QSize sizeHint(const QStyleOptionViewItem& option, const QModelIndex& index) const override;
};

}  // namespace calibench
