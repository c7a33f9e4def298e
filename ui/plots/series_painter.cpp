#include "ui/plots/series_painter.h"

#include <algorithm>
#include <cmath>

namespace calibench {

namespace {

constexpr int SmoothSpacing = 3;  ///< pixels: lines with corners closer than that on average are not worth antialiasing

/// A painter's time grows with the square of a jagged line's corners: it is drawn in pieces.
constexpr qsizetype PieceOfLine = 12;

std::vector<SeriesPoint> pointsInSight(const SeriesStore& series, const QCPAxis* x) {
    return series.decimated(x->range().lower, x->range().upper, std::max(1, x->axisRect()->width()));
}

void rasterPoints(LineRaster& raster, const std::vector<SeriesPoint>& points, const QCPAxis* x, const QCPAxis* y) {
    const QPoint corner = x->axisRect()->topLeft();
    bool joined = false;
    for (const SeriesPoint& point : points) {
        const bool good = drawable(point.y, y);
        if (good) {
            const double left = x->coordToPixel(point.x) - corner.x(), top = y->coordToPixel(point.y) - corner.y();
            joined ? raster.lineTo(left, top) : raster.moveTo(left, top);
        }
        joined = good;
    }
}

void drawSmooth(QCPPainter* painter, const std::vector<SeriesPoint>& points, const QCPAxis* x, const QCPAxis* y, const QColor& colour, double width) {
    painter->setAntialiasing(true);
    painter->setPen(QPen(colour, width, Qt::SolidLine, Qt::RoundCap, Qt::RoundJoin));
    QPolygonF piece;
    const auto finish = [&] {
        if (piece.size() == 1) painter->drawPoint(piece.first());
        if (piece.size() > 1) painter->drawPolyline(piece);
        piece.clear();
    };
    for (const SeriesPoint& point : points) {
        if (!drawable(point.y, y)) {
            finish();
            continue;
        }
        piece << QPointF(x->coordToPixel(point.x), y->coordToPixel(point.y));
        if (piece.size() < PieceOfLine) continue;
        const QPointF joint = piece.last();
        finish();
        piece << joint;
    }
    finish();
}

}  // namespace

bool drawable(double value, const QCPAxis* axis) {
    return std::isfinite(value) && (value > 0 || axis->scaleType() == QCPAxis::stLinear);
}

void rasterSeries(LineRaster& raster, const SeriesStore& series, const QCPAxis* x, const QCPAxis* y) {
    rasterPoints(raster, pointsInSight(series, x), x, y);
}

void drawSeries(QCPPainter* painter, const SeriesStore& series, const QCPAxis* x, const QCPAxis* y, const QColor& colour, double width) {
    const auto points = pointsInSight(series, x);
    const QRect area = x->axisRect()->rect();
    if (points.size() * SmoothSpacing <= static_cast<size_t>(area.width())) return drawSmooth(painter, points, x, y, colour, width);
    LineRaster raster(area.size(), painter->device()->devicePixelRatioF(), width);
    rasterPoints(raster, points, x, y);
    painter->drawImage(area.topLeft(), raster.picture(colour));
}

}  // namespace calibench
