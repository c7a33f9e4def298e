#include "ui/plots/range_painter.h"

#include <algorithm>
#include <cmath>

#include "ui/plots/series_painter.h"

namespace calibench {

namespace {

/// Where the three shades of these bars begin in the palette.
uint8_t shadesOf(const RangeBars& bars, std::vector<QRgb>& palette) {
    const auto known = std::find(palette.begin() + 2, palette.end(), bars.fill().rgb());
    const auto first = static_cast<uint8_t>(known - palette.begin());
    if (known == palette.end()) palette.insert(palette.end(), {bars.fill().rgb(), bars.faint().rgb(), bars.faintest().rgb()});
    return first;
}

}  // namespace

RangePainter::RangePainter(QCPAxisRect* panel, const std::vector<RangeBars*>& bars)
    : QCPLayerable(panel->parentPlot(), QStringLiteral("main")), m_panel(panel), m_bars(bars) {}

void RangePainter::Box::fill(ColumnRaster& raster, uint8_t colour) const {
    const int first = static_cast<int>(std::round(left * raster.ratio()));
    const int end = std::max(first + 1, static_cast<int>(std::round(right * raster.ratio())));
    const double from = top * raster.ratio(), to = std::max(bottom * raster.ratio(), from + 1);
    for (int column = first; column < end; ++column) raster.fill(column, from, to, colour);
}

std::array<RangePainter::Box, 4> RangePainter::Box::edges() const {
    return {{{left, left + 1, top, bottom}, {right - 1, right, top, bottom}, {left, right, top, top + 1}, {left, right, bottom - 1, bottom}}};
}

RangePainter::Box RangePainter::boxOf(double key, double low, double high, double width) const {
    const QCPAxis *x = m_panel->axis(QCPAxis::atBottom), *y = m_panel->axis(QCPAxis::atLeft);
    const double centre = x->coordToPixel(key) - m_panel->left();
    return {.left = centre - width / 2, .right = centre + width / 2, .top = y->coordToPixel(high) - m_panel->top(), .bottom = y->coordToPixel(low) - m_panel->top()};
}

void RangePainter::draw(QCPPainter* painter) {
    constexpr uint8_t Highlight = 1;
    std::vector<QRgb> palette{0, m_highlight.rgb()};
    ColumnRaster raster(m_panel->size(), pixelRatio(painter));
    const auto fill = [&](const Box& box, uint8_t colour) {
        if (!keepsShapes(painter)) return box.fill(raster, colour);
        const QRectF rect(m_panel->left() + box.left, m_panel->top() + box.top, box.right - box.left, std::max(1.0, box.bottom - box.top));
        painter->fillRect(rect & QRectF(m_panel->rect()), QColor(palette[colour]));
    };
    const QCPAxis* x = m_panel->axis(QCPAxis::atBottom);
    const double pixelsPerUnit = x->coordToPixel(1) - x->coordToPixel(0);
    std::vector<Box> moving;
    std::vector<double> crosses;
    for (const RangeBars* bars : m_bars) {
        if (!bars->visible()) continue;
        const uint8_t shade = shadesOf(*bars, palette);
        const double width = RangeBars::pixelWidth(x, bars->width());
        for (const RangeBar& bar : mergePerColumn(bars->bars(), pixelsPerUnit)) {
            if (!x->range().contains(bar.key)) continue;
            if (!bar.finite()) {
                crosses.push_back(bar.key);
                continue;
            }
            const int paler = bar.fresh ? 1 : 0;
            fill(boxOf(bar.key, bar.min, bar.max, width), static_cast<uint8_t>(shade + paler + 1));
            fill(boxOf(bar.key, bar.low, bar.high, width), static_cast<uint8_t>(shade + paler));
            if (bar.moving) moving.push_back(boxOf(bar.key, bar.min, bar.max, width + 4));
        }
    }
    for (const Box& box : moving)
        for (const Box& edge : box.edges()) fill(edge, Highlight);
    if (!keepsShapes(painter)) painter->drawImage(m_panel->topLeft(), raster.picture(palette));
    painter->setPen(QPen(m_highlight, 2));
    for (const double key : crosses) drawCross(painter, key);
}

void RangePainter::drawCross(QCPPainter* painter, double key) const {
    const QCPAxis* y = m_panel->axis(QCPAxis::atLeft);
    const QPointF place(m_panel->axis(QCPAxis::atBottom)->coordToPixel(key), y->coordToPixel(std::clamp(0.0, y->range().lower, y->range().upper)));
    painter->drawLine(place - QPointF(4, 4), place + QPointF(4, 4));
    painter->drawLine(place + QPointF(-4, 4), place + QPointF(4, -4));
}

}  // namespace calibench
