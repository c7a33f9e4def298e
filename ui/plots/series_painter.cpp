#include "ui/plots/series_painter.h"

#include <algorithm>
#include <cmath>
#include <optional>

namespace calibench {

namespace {

constexpr int SmoothSpacing = 3;  ///< pixels: lines with corners closer than that on average are not worth antialiasing

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

/// Cut at the edges of `area` by Liang and Barsky's method; nothing is left of a line that lies outside.
std::optional<QLineF> within(const QRectF& area, const QLineF& line) {
    const double ways[] = {-line.dx(), line.dx(), -line.dy(), line.dy()};
    const double rooms[] = {line.x1() - area.left(), area.right() - line.x1(), line.y1() - area.top(), area.bottom() - line.y1()};
    double first = 0, last = 1;
    for (int side = 0; side < 4; ++side) {
        if (ways[side] == 0 && rooms[side] < 0) return {};
        if (ways[side] == 0) continue;
        const double share = rooms[side] / ways[side];
        if (ways[side] < 0)
            first = std::max(first, share);
        else
            last = std::min(last, share);
    }
    if (first > last) return {};
    return QLineF(line.pointAt(first), line.pointAt(last));
}

/// QSvgGenerator leaves clipping out.
void cut(QVector<QLineF>& lines, const QRectF& area) {
    QVector<QLineF> seen;
    for (const QLineF& line : lines)
        if (const auto part = within(area, line)) seen << *part;
    lines = std::move(seen);
}

void drawSmooth(QCPPainter* painter, const std::vector<SeriesPoint>& points, const QCPAxis* x, const QCPAxis* y, const QColor& colour, double width) {
    painter->setAntialiasing(true);
    painter->setPen(QPen(colour, width, Qt::SolidLine, Qt::SquareCap));  // round ends or a polyline take several times as long
    const PixelMap left(x), height(y);
    QVector<QLineF> lines;
    std::optional<QPointF> last;
    for (const SeriesPoint& point : points) {
        if (!drawable(point.y, y)) {
            last.reset();
            continue;
        }
        const QPointF place(left(point.x), height(point.y));
        lines << QLineF(last.value_or(place), place);  // a point alone is a line to itself
        last = place;
    }
    if (keepsShapes(painter)) cut(lines, x->axisRect()->rect());
    painter->drawLines(lines);
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
    if (keepsShapes(painter) || points.size() * SmoothSpacing <= static_cast<size_t>(area.width())) return drawSmooth(painter, points, x, y, colour, width);
    LineRaster raster(area.size(), pixelRatio(painter), width);
    rasterSeries(raster, series, x->range(), y);
    painter->drawImage(area.topLeft(), raster.picture(colour));
}

bool keepsShapes(const QCPPainter* painter) { return painter->modes().testFlag(QCPPainter::pmVectorized); }

double pixelRatio(const QPainter* painter) { return painter->deviceTransform().m11(); }

}  // namespace calibench
