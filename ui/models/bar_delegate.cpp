#include "ui/models/bar_delegate.h"

#include <QApplication>
#include <QPainter>

#include <algorithm>

#include "ui/theme.h"

namespace calibench {

void BarDelegate::paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) const {
    const QVariant length = index.data(BarRole);
    if (!length.isValid()) return QStyledItemDelegate::paint(painter, option, index);
    QStyleOptionViewItem item = option;
    initStyleOption(&item, index);
    const QStyle* style = item.widget ? item.widget->style() : QApplication::style();
    style->drawPrimitive(QStyle::PE_PanelItemViewItem, &item, painter, item.widget);

    const bool selected = item.state.testFlag(QStyle::State_Selected);
    QColor colour = selected ? item.palette.color(QPalette::HighlightedText)
                             : index.data(AlarmRole).toBool() ? warningColour(item.palette) : item.palette.color(QPalette::Active, QPalette::Highlight);
    colour.setAlpha(selected ? 90 : isDark(item.palette) ? 110 : 70);
    const QRectF cell = QRectF(item.rect).adjusted(2, 2, -2, -2);
    const double width = cell.width() * std::clamp(length.toDouble(), 0.0, 1.0);
    painter->fillRect(QRectF(cell.left(), cell.top(), std::max(width, 1.0), cell.height()), colour);

    painter->save();
    painter->setPen(item.palette.color(QPalette::Active, selected ? QPalette::HighlightedText : QPalette::Text));
    painter->setFont(item.font);
    painter->drawText(cell.adjusted(2, 0, -2, 0), static_cast<int>(item.displayAlignment), item.text);
    painter->restore();
}

QSize BarDelegate::sizeHint(const QStyleOptionViewItem& option, const QModelIndex& index) const {
    return QStyledItemDelegate::sizeHint(option, index) + QSize(0, 4);
}

}  // namespace calibench
