#pragma once

#include <array>
#include <vector>

#include "ui/plots/column_raster.h"
#include "ui/plots/qcustomplot.h"
#include "ui/plots/range_bars.h"

namespace calibench {

/// Draws the bars of all projections of one panel into one picture, since as rectangles of a painter thousands of them take several
/// frames; into a drawing that keeps its shapes as rectangles. A range that is not finite is a cross at the zero line.
class RangePainter : public QCPLayerable {
public:
    /// `bars` must outlive the drawing; later ones lie on top.
    RangePainter(QCPAxisRect* panel, const std::vector<RangeBars*>& bars);

    void setHighlight(const QColor& colour) { m_highlight = colour; }

protected:
    void applyDefaultAntialiasingHint(QCPPainter* painter) const override { painter->setAntialiasing(false); }
    [[nodiscard]] QRect clipRect() const override { return m_panel->rect(); }
    void draw(QCPPainter* painter) override;

private:
    /// Pixels from the panel's upper left corner: logical ones, and with fill() device pixels.
    struct Box {
        double left, right, top, bottom;
        void fill(ColumnRaster& raster, uint8_t colour) const;
        [[nodiscard]] std::array<Box, 4> edges() const;
    };

    [[nodiscard]] Box boxOf(double key, double low, double high, double width) const;
    void drawCross(QCPPainter* painter, double key) const;

    QCPAxisRect* m_panel;
    const std::vector<RangeBars*>& m_bars;
    QColor m_highlight;
};

}  // namespace calibench
