#include "ui/lens/histogram_bars.h"

#include <QFontMetricsF>

#include <algorithm>
#include <cmath>

namespace calibench {

namespace {

constexpr double TickLength = 7;    // pixels
constexpr double RowHeight = 11;    // of one grid's ticks
constexpr double ClosestTicks = 3;  // pixels; closer ones are a bar, which says nothing

}  // namespace

void HistogramBars::setColours(const QColor& bars, const QColor& clipped, const QColor& text, const QColor& halo, const std::vector<QColor>& grids) {
    m_bars = bars;
    m_clipped = clipped;
    m_text = text;
    m_halo = halo;
    m_gridColours = grids;
}

QRectF HistogramBars::boxOf(int bin) const {
    const ValueHistogram& histogram = m_distribution.histogram;
    const double low = histogram.low + bin * histogram.bin_width();
    const double left = keyAxis()->coordToPixel(low), right = keyAxis()->coordToPixel(low + histogram.bin_width());
    const QRectF all = clipRect();
    const auto count = static_cast<double>(histogram.counts[static_cast<size_t>(bin)]);
    const bool log = valueAxis()->scaleType() == QCPAxis::stLogarithmic;
    const double top = log && count < 1 ? all.bottom() : std::clamp(valueAxis()->coordToPixel(count), all.top(), all.bottom());
    return QRectF(left, top, right - left, all.bottom() - top);
}

void HistogramBars::draw(QCPPainter* painter) {
    painter->setAntialiasing(false);
    if (!m_distribution.grids.empty()) drawClipped(painter, m_distribution.grids.back());
    drawBars(painter);
    for (size_t i = 0; i < m_distribution.grids.size(); ++i) drawLevels(painter, i);
    drawNames(painter);
}

void HistogramBars::drawBars(QCPPainter* painter) const {
    const QRectF all = clipRect();
    const auto bins = static_cast<int>(m_distribution.histogram.counts.size());
    for (int bin = 0; bin < bins; ++bin) {
        if (m_distribution.histogram.counts[static_cast<size_t>(bin)] == 0) continue;
        QRectF box = boxOf(bin);
        if (box.right() < all.left() || box.left() > all.right()) continue;
        box.setWidth(std::max(1.0, box.width() - (box.width() > 4 ? 1 : 0)));
        box.setTop(std::min(box.top(), all.bottom() - 1));  // one value is seen too
        painter->fillRect(box, m_bars);
    }
}

void HistogramBars::drawClipped(QCPPainter* painter, const ValueGrid& grid) const {
    const QRectF all = clipRect();
    const double low = keyAxis()->coordToPixel(grid.low), high = keyAxis()->coordToPixel(grid.high);
    QColor shade = m_clipped;
    shade.setAlpha(44);
    const QRectF below(all.topLeft(), QPointF(std::min(low, all.right()), all.bottom())), above(QPointF(std::max(high, all.left()), all.top()), all.bottomRight());
    painter->setPen(QPen(m_clipped, 1, Qt::DashLine));
    for (const QRectF& part : {below, above})
        if (part.width() > 0) painter->fillRect(part, shade);
    for (const double end : {low, high})
        if (end >= all.left() && end <= all.right()) painter->drawLine(QPointF(end, all.top()), QPointF(end, all.bottom()));
}

void HistogramBars::drawLevels(QCPPainter* painter, size_t index) const {
    const ValueGrid& grid = m_distribution.grids[index];
    const QRectF all = clipRect();
    const double foot = all.bottom() - 2 - static_cast<double>(m_distribution.grids.size() - 1 - index) * RowHeight;
    const double low = keyAxis()->coordToPixel(grid.levels.empty() ? grid.low : grid.levels.front());
    const double high = keyAxis()->coordToPixel(grid.levels.empty() ? grid.high : grid.levels.back());
    const double between = grid.levels.size() < 2 ? 0 : (high - low) / static_cast<double>(grid.levels.size() - 1);
    const auto drawAll = [&] {
        if (low > all.right() || high < all.left()) return;
        painter->drawLine(QPointF(std::max(low, all.left()), foot), QPointF(std::min(high, all.right()), foot));
        if (between >= ClosestTicks) {
            for (const double level : grid.levels) {
                const double x = keyAxis()->coordToPixel(level);
                if (x >= all.left() && x <= all.right()) painter->drawLine(QPointF(x, foot), QPointF(x, foot - TickLength));
            }
        } else {
            for (const double end : {low, high})
                if (end >= all.left() && end <= all.right()) painter->drawLine(QPointF(end, foot), QPointF(end, foot - TickLength));
        }
    };
    painter->setPen(QPen(m_halo, 3));  // the bars are behind
    drawAll();
    painter->setPen(QPen(m_gridColours[index % m_gridColours.size()], 1));
    drawAll();
}

/// A legend in the upper right corner: a piece of each grid's line, and its name.
void HistogramBars::drawNames(QCPPainter* painter) const {
    painter->setFont(keyAxis()->tickLabelFont());
    const QFontMetricsF metrics(painter->font());
    const QRectF all = clipRect();
    double top = all.top() + 2;
    for (size_t i = 0; i < m_distribution.grids.size(); ++i, top += metrics.height() + 1) {
        const QString name = metrics.elidedText(m_distribution.grids[i].name, Qt::ElideRight, all.width() - 30);
        if (name.isEmpty()) continue;
        const double width = metrics.horizontalAdvance(name);
        QRectF text(all.right() - width - 6, top, width, metrics.height());
        painter->fillRect(text.adjusted(-20, 0, 4, 0), m_halo);
        painter->setPen(QPen(m_gridColours[i % m_gridColours.size()], 2));
        const double middle = text.center().y();
        painter->drawLine(QPointF(text.left() - 17, middle), QPointF(text.left() - 5, middle));
        painter->drawLine(QPointF(text.left() - 11, middle), QPointF(text.left() - 11, middle - 5));
        painter->setPen(m_text);
        painter->drawText(text, Qt::AlignLeft | Qt::AlignVCenter, name);
    }
}

}  // namespace calibench
