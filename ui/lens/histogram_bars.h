#pragma once

#include <vector>

#include "ui/lens/value_grid.h"
#include "ui/plots/drawing.h"

namespace calibench {

/// Draws a histogram, what of it a grid clips, and the grids' levels as ticks that stand on the axis, one row for each grid.
class HistogramBars : public Drawing {
public:
    HistogramBars(QCPAxis* values, QCPAxis* counts) : Drawing(values, counts) {}

    void setDistribution(ValueDistribution distribution) { m_distribution = std::move(distribution); }
    [[nodiscard]] const ValueDistribution& distribution() const { return m_distribution; }
    void setColours(const QColor& bars, const QColor& clipped, const QColor& text, const QColor& halo, const std::vector<QColor>& grids);
    [[nodiscard]] QRectF boxOf(int bin) const;  ///< in pixels, from the bin's count to the axis

protected:
    void draw(QCPPainter* painter) override;

private:
    void drawBars(QCPPainter* painter) const;
    void drawClipped(QCPPainter* painter, const ValueGrid& grid) const;
    void drawLevels(QCPPainter* painter, size_t index) const;
    void drawNames(QCPPainter* painter) const;

    ValueDistribution m_distribution;
    QColor m_bars, m_clipped, m_text, m_halo;
    std::vector<QColor> m_gridColours;
};

}  // namespace calibench
