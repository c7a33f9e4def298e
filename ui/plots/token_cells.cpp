#include "ui/plots/token_cells.h"

#include <QFontMetricsF>

#include <algorithm>
#include <cmath>

namespace calibench {

void TokenCells::draw(QCPPainter* painter) {
    painter->setFont(keyAxis()->tickLabelFont());
    const QFontMetricsF metrics(painter->font());
    const QRectF all = clipRect();
    const double width = std::abs(keyAxis()->coordToPixel(1) - keyAxis()->coordToPixel(0));
    const double height = std::abs(valueAxis()->coordToPixel(1) - valueAxis()->coordToPixel(0));
    const bool roomForText = height > metrics.height() + 4 && width > metrics.horizontalAdvance(QStringLiteral("00.0 %")) + 8;
    const double inset = std::min(width, height) > 10 ? 2 : 0.5;
    painter->setAntialiasing(false);
    painter->setBrush(Qt::NoBrush);
    for (const Cell& cell : m_cells) {
        if (!roomForText && !cell.starved) continue;
        const QRectF box(keyAxis()->coordToPixel(cell.column) - width / 2, valueAxis()->coordToPixel(cell.row) - height / 2, width, height);
        if (!all.intersects(box)) continue;
        if (roomForText) {
            painter->setPen(cell.light ? Qt::black : Qt::white);
            painter->drawText(box, Qt::AlignCenter, QStringLiteral("%1 %").arg(cell.percent, 0, 'f', 1));
        }
        if (!cell.starved) continue;
        painter->setPen(QPen(m_outline, inset < 2 ? 1 : 2));
        painter->drawRect(box.adjusted(inset, inset, -inset, -inset));
    }
}

}  // namespace calibench
