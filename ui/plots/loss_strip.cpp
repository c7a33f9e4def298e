#include "ui/plots/loss_strip.h"

#include <algorithm>
#include <cmath>

#include "ui/plots/series_painter.h"

namespace calibench {

std::optional<LossStrip::Pair> LossStrip::pairOf(const BlockRecord& block) {
    if (block.attempts.empty() || block.losses().empty() || !block.best()) return {};
    const Pair pair{block.losses().points().front().y, block.best()->y};
    if (!std::isfinite(pair.first) || !std::isfinite(pair.best)) return {};
    return pair;
}

void LossStrip::draw(QCPPainter* painter) {
    const auto& blocks = m_record.blocks();
    const double perBlock = std::abs(keyAxis()->coordToPixel(1) - keyAxis()->coordToPixel(0));
    const double radius = std::clamp(perBlock / 4, 1.5, 4.0);
    painter->setAntialiasing(true);
    for (size_t i = 0; i < blocks.size(); ++i) {
        const auto key = static_cast<double>(i);
        const auto pair = pairOf(blocks[i]);
        if (!pair || !keyAxis()->range().contains(key)) continue;
        const double x = keyAxis()->coordToPixel(key);
        const bool hasFirst = drawable(pair->first, valueAxis()), hasBest = drawable(pair->best, valueAxis());
        // Zero has no place on a logarithmic axis: the line then leads to the lower edge.
        const QPointF first(x, hasFirst ? valueAxis()->coordToPixel(pair->first) : clipRect().bottom());
        const QPointF best(x, hasBest ? valueAxis()->coordToPixel(pair->best) : clipRect().bottom());
        painter->setPen(QPen(m_theme.mixed(m_theme.muted, 0.75), std::min(2.0, radius)));
        painter->drawLine(first, best);
        if (hasFirst) {
            painter->setPen(QPen(m_theme.muted, 1.5));
            painter->setBrush(m_theme.background);
            painter->drawEllipse(first, radius, radius);
        }
        if (!hasBest) continue;
        if (pair->improved() || blocks[i].state != BlockRecord::State::Done) {
            painter->setPen(QPen(m_theme.accent, 1.5));
            painter->setBrush(m_theme.accent);
            painter->drawEllipse(best, radius, radius);
        } else {
            painter->setPen(QPen(m_theme.warning, 1.5));
            painter->setBrush(m_theme.background);
            painter->drawPolygon(QPolygonF{best + QPointF(0, -radius - 2), best + QPointF(radius + 2, radius + 1), best + QPointF(-radius - 2, radius + 1)});
        }
    }
}

}  // namespace calibench
