#pragma once

#include <vector>

#include "ui/plots/qcustomplot.h"

namespace calibench {

/// One module's range at its place on the axis, in axis coordinates.
struct RangeBar {
    double key = 0;
    double min = 0, max = 0;
    double low = 0, high = 0;  ///< the percentiles inside
    bool moving = false;       ///< changed a moment ago
};

/// At most one bar per pixel column: the lowest minimum and the highest maximum of those that share it, never an average.
/// `bars` must be sorted by key.
[[nodiscard]] std::vector<RangeBar> mergePerColumn(const std::vector<RangeBar>& bars, double columnsPerUnit);

/// Bars from min to max, filled between the percentiles. A range that is not finite is a cross at the zero line.
class RangeBars : public QCPAbstractPlottable {
public:
    RangeBars(QCPAxis* keyAxis, QCPAxis* valueAxis) : QCPAbstractPlottable(keyAxis, valueAxis) {}

    void setBars(std::vector<RangeBar> bars) { m_bars = std::move(bars); }
    [[nodiscard]] const std::vector<RangeBar>& bars() const { return m_bars; }
    void setWidth(double keyUnits) { m_width = keyUnits; }
    /// Pixels that a bar of so many key units takes: neither a hair nor a block.
    [[nodiscard]] static double pixelWidth(const QCPAxis* keyAxis, double keyUnits);
    /// Opaque ones: `faint` for the whole range, `fill` for the percentiles.
    void setColours(const QColor& fill, const QColor& faint, const QColor& highlight);

    double selectTest(const QPointF& pos, bool onlySelectable, QVariant* details = nullptr) const override;
    QCPRange getKeyRange(bool& foundRange, QCP::SignDomain inSignDomain = QCP::sdBoth) const override;
    QCPRange getValueRange(bool& foundRange, QCP::SignDomain inSignDomain = QCP::sdBoth, const QCPRange& inKeyRange = {}) const override;

protected:
    void draw(QCPPainter* painter) override;
    void drawLegendIcon(QCPPainter* painter, const QRectF& rect) const override;

private:
    void drawBar(QCPPainter* painter, const RangeBar& bar, double width) const;

    std::vector<RangeBar> m_bars;
    double m_width = 0.8;
    QColor m_fill, m_faint, m_highlight;
};

}  // namespace calibench
