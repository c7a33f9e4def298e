#pragma once

#include "ui/plots/qcustomplot.h"
#include "ui/plots/series_store.h"

namespace calibench {

/// Draws what of `series` lies in sight. Sparse points are a smooth line; where several share a pixel column, each column is
/// one upright stroke from its lowest to its highest value, which is what the line would look like and costs a fraction of it.
void drawSeries(QCPPainter* painter, const SeriesStore& series, const QCPAxis* x, const QCPAxis* y, const QColor& colour, double width);

/// Whether a value has a place on the axis.
[[nodiscard]] bool drawable(double value, const QCPAxis* axis);

}  // namespace calibench
