#include "ui/plots/series_painter.h"

#include <algorithm>
#include <cmath>

namespace calibench {

namespace {

constexpr int SmoothSpacing = 3;  ///< pixels: lines with corners closer than that on average are not worth antialiasing

/// A painter's time grows with the square of a jagged line's corners: it is drawn in pieces.
constexpr qsizetype PieceOfLine = 12;

/// QCPAxis::coordToPixel with half of its logarithms, which cost most of the time.
class PixelMap {
public:
    explicit PixelMap(const QCPAxis* axis)
        : m_logarithmic(axis->scaleType() == QCPAxis::stLogarithmic), m_lower(axis->range().lower), m_first(axis->coordToPixel(m_lower)),
          m_scale((axis->coordToPixel(axis->range().upper) - m_first) / (m_logarithmic ? std::log(axis->range().upper / m_lower) : axis->range().size())) {}
    double operator()(double value) const { return m_first + m_scale * (m_logarithmic ? std::log(value / m_lower) : value - m_lower); }

private:
    bool m_logarithmic;
    double m_lower, m_first, m_scale;
};

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

void rasterSeries(LineRaster& raster, const SeriesStore& series, const QCPRange& keys, const QCPAxis* y) {
    const double scale = raster.size().width() / keys.size();
    const PixelMap toPixel(y);
    const int top = y->axisRect()->top();
    bool joined = false;
    for (const SeriesPoint& point : series.decimated(keys.lower, keys.upper, raster.size().width())) {
        const bool good = drawable(point.y, y);
        if (good) {
            const double left = (point.x - keys.lower) * scale, height = toPixel(point.y) - top;
            joined ? raster.lineTo(left, height) : raster.moveTo(left, height);
        }
        joined = good;
    }
}

void drawSeries(QCPPainter* painter, const SeriesStore& series, const QCPAxis* x, const QCPAxis* y, const QColor& colour, double width) {
    const QRect area = x->axisRect()->rect();
    const auto points = series.decimated(x->range().lower, x->range().upper, std::max(1, area.width()));
    if (points.size() * SmoothSpacing <= static_cast<size_t>(area.width())) return drawSmooth(painter, points, x, y, colour, width);
    LineRaster raster(area.size(), pixelRatio(painter), width);
    rasterSeries(raster, series, x->range(), y);
    painter->drawImage(area.topLeft(), raster.picture(colour));
}

double pixelRatio(const QPainter* painter) { return painter->deviceTransform().m11(); }

}  // namespace calibench
