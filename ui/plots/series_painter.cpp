#include "ui/plots/series_painter.h"

#include <algorithm>
#include <cmath>

namespace calibench {

namespace {

void drawLine(QCPPainter* painter, const std::vector<SeriesPoint>& points, const QCPAxis* x, const QCPAxis* y, const QColor& colour, double width) {
    painter->setAntialiasing(true);
    painter->setPen(QPen(colour, width, Qt::SolidLine, Qt::RoundCap, Qt::RoundJoin));
    QPolygonF piece;
    const auto finish = [&] {
        if (piece.size() == 1) painter->drawPoint(piece.first());
        if (piece.size() > 1) painter->drawPolyline(piece);
        piece.clear();
    };
    for (const SeriesPoint& point : points) {
        if (drawable(point.y, y))
            piece << QPointF(x->coordToPixel(point.x), y->coordToPixel(point.y));
        else
            finish();
    }
    finish();
}

void drawColumns(QCPPainter* painter, const std::vector<SeriesPoint>& points, const QCPAxis* x, const QCPAxis* y, const QColor& colour, double width) {
    double column = 0, top = 0, bottom = 0, last = 0;
    bool open = false, joined = false;
    const auto finish = [&] {
        if (open) painter->fillRect(QRectF(column, top - width / 2, 1, bottom - top + width), colour);
        joined = std::exchange(open, false);
    };
    for (const SeriesPoint& point : points) {
        if (!drawable(point.y, y)) {
            finish();
            joined = false;
            continue;
        }
        const double at = std::floor(x->coordToPixel(point.x)), value = y->coordToPixel(point.y);
        if (open && at != column) finish();
        if (!open) {
            const double from = joined ? last : value;  // strokes touch where the line would go from one to the next
            column = at;
            top = std::min(from, value);
            bottom = std::max(from, value);
            open = true;
        }
        top = std::min(top, value);
        bottom = std::max(bottom, value);
        last = value;
    }
    finish();
}

}  // namespace

bool drawable(double value, const QCPAxis* axis) {
    return std::isfinite(value) && (value > 0 || axis->scaleType() == QCPAxis::stLinear);
}

void drawSeries(QCPPainter* painter, const SeriesStore& series, const QCPAxis* x, const QCPAxis* y, const QColor& colour, double width) {
    const int columns = std::max(1, x->axisRect()->width());
    const auto points = series.decimated(x->range().lower, x->range().upper, columns);
    const bool dense = points.size() > 2 * static_cast<size_t>(columns);
    dense ? drawColumns(painter, points, x, y, colour, width) : drawLine(painter, points, x, y, colour, width);
}

}  // namespace calibench
