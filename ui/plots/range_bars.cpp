#include "ui/plots/range_bars.h"

#include <algorithm>
#include <cmath>

namespace calibench {

bool RangeBar::finite() const { return std::isfinite(min) && std::isfinite(max); }

std::vector<RangeBar> mergePerColumn(const std::vector<RangeBar>& bars, double columnsPerUnit) {
    std::vector<RangeBar> out;
    for (const RangeBar& bar : bars) {
        const bool shares = !out.empty() && bar.finite() && out.back().finite() &&
                            std::floor(out.back().key * columnsPerUnit) == std::floor(bar.key * columnsPerUnit);
        if (!shares) {
            out.push_back(bar);
            continue;
        }
        RangeBar& merged = out.back();
        merged.min = std::min(merged.min, bar.min);
        merged.max = std::max(merged.max, bar.max);
        merged.low = std::min(merged.low, bar.low);
        merged.high = std::max(merged.high, bar.high);
        merged.moving = merged.moving || bar.moving;
        merged.fresh = merged.fresh && bar.fresh;
    }
    return out;
}

double RangeBars::pixelWidth(const QCPAxis* keyAxis, double keyUnits) {
    return std::clamp(keyUnits * std::abs(keyAxis->coordToPixel(1) - keyAxis->coordToPixel(0)), 1.0, 26.0);
}

void RangeBars::setColours(const QColor& fill, const QColor& faint, const QColor& faintest) {
    m_fill = fill;
    m_faint = faint;
    m_faintest = faintest;
}

void RangeBars::drawLegendIcon(QCPPainter* painter, const QRectF& rect) const {
    const QRectF swatch(rect.center().x() - 5, rect.center().y() - 5, 10, 10);
    painter->setPen(QPen(m_fill, 1));
    painter->setBrush(visible() ? QBrush(m_fill) : QBrush(Qt::NoBrush));
    painter->drawRect(swatch);
}

std::optional<QCPRange> RangeBars::extent() const {
    std::optional<QCPRange> all;
    for (const RangeBar& bar : m_bars) {
        if (!bar.finite()) continue;
        const QCPRange own(bar.min, bar.max);
        if (all)
            all->expand(own);
        else
            all = own;
    }
    return all;
}

}  // namespace calibench
