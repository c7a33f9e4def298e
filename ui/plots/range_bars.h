#pragma once

#include <optional>
#include <vector>

#include "ui/plots/drawing.h"

namespace calibench {

/// One module's range at its place on the axis, in axis coordinates.
struct RangeBar {
    double key = 0;
    double min = 0, max = 0;
    double low = 0, high = 0;  ///< the percentiles inside
    bool moving = false;       ///< changed a moment ago
    bool fresh = false;        ///< and was not there before
    [[nodiscard]] bool finite() const;
};

/// At most one bar per pixel column: the lowest minimum and the highest maximum of those that share it, never an average.
/// `bars` must be sorted by key.
[[nodiscard]] std::vector<RangeBar> mergePerColumn(const std::vector<RangeBar>& bars, double columnsPerUnit);

/// The bars of one projection from min to max, filled between the percentiles, and their entry in the legend. A RangePainter
/// draws them.
class RangeBars : public Drawing {
public:
    RangeBars(QCPAxis* keyAxis, QCPAxis* valueAxis) : Drawing(keyAxis, valueAxis) {}

    void setBars(std::vector<RangeBar> bars) { m_bars = std::move(bars); }
    [[nodiscard]] const std::vector<RangeBar>& bars() const { return m_bars; }
    [[nodiscard]] std::optional<QCPRange> extent() const;  ///< of the finite bars
    void setWidth(double keyUnits) { m_width = keyUnits; }
    [[nodiscard]] double width() const { return m_width; }
    /// Pixels that a bar of so many key units takes: neither a hair nor a block.
    [[nodiscard]] static double pixelWidth(const QCPAxis* keyAxis, double keyUnits);
    /// Opaque ones: `fill` for the percentiles, `faint` for the whole range; fresh bars are one shade paler.
    void setColours(const QColor& fill, const QColor& faint, const QColor& faintest);
    [[nodiscard]] const QColor& fill() const { return m_fill; }
    [[nodiscard]] const QColor& faint() const { return m_faint; }
    [[nodiscard]] const QColor& faintest() const { return m_faintest; }

protected:
    void draw(QCPPainter*) override {}
    void drawLegendIcon(QCPPainter* painter, const QRectF& rect) const override;

private:
    std::vector<RangeBar> m_bars;
    double m_width = 0.8;
    QColor m_fill, m_faint, m_faintest;
};

}  // namespace calibench
