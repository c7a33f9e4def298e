#pragma once

#include "ui/plots/qcustomplot.h"

namespace calibench {

/// Something drawn between two axes, and no more to QCustomPlot than that: it is not selected and has no say in the axes' ranges.
class Drawing : public QCPAbstractPlottable {
public:
    using QCPAbstractPlottable::QCPAbstractPlottable;

    double selectTest(const QPointF&, bool, QVariant* = nullptr) const override { return -1; }
    QCPRange getKeyRange(bool& found, QCP::SignDomain = QCP::sdBoth) const override { return none(found); }
    QCPRange getValueRange(bool& found, QCP::SignDomain = QCP::sdBoth, const QCPRange& = {}) const override { return none(found); }

protected:
    void drawLegendIcon(QCPPainter*, const QRectF&) const override {}

private:
    static QCPRange none(bool& found) {
        found = false;
        return {};
    }
};

}  // namespace calibench
