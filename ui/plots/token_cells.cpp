#include "ui/plots/token_cells.h"

#include <QFontMetricsF>

namespace calibench {

void TokenCells::draw(QCPPainter* painter) {
    const QFontMetricsF metrics(painter->font());
    for (const Cell& cell : m_cells) {
        const QRectF box = QRectF(QPointF(keyAxis()->coordToPixel(cell.column - 0.5), valueAxis()->coordToPixel(cell.row - 0.5)),
                                  QPointF(keyAxis()->coordToPixel(cell.column + 0.5), valueAxis()->coordToPixel(cell.row + 0.5)))
                               .normalized();
        if (!clipRect().intersects(box.toAlignedRect())) continue;
        if (box.width() > metrics.horizontalAdvance(cell.text) + 8 && box.height() > metrics.height() + 4) {
            painter->setPen(cell.light ? Qt::black : Qt::white);
            painter->drawText(box, Qt::AlignCenter, cell.text);
        }
        if (cell.starved) {
            painter->setBrush(Qt::NoBrush);
            painter->setPen(QPen(m_outline, 2));
            painter->drawRect(box.adjusted(2, 2, -2, -2));
        }
    }
}

QCPRange TokenCells::getKeyRange(bool& found, QCP::SignDomain) const {
    found = false;
    return {};
}

QCPRange TokenCells::getValueRange(bool& found, QCP::SignDomain, const QCPRange&) const {
    found = false;
    return {};
}

}  // namespace calibench
