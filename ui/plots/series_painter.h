#pragma once

#include "ui/plots/line_raster.h"
#include "ui/plots/qcustomplot.h"
#include "ui/plots/series_store.h"

namespace calibench {

/// Draws what of `series` lies in sight: a smooth line while its points are some pixels apart, or where it is to stay one, else strokes
/// of a LineRaster.
void drawSeries(QCPPainter* painter, const SeriesStore& series, const QCPAxis* x, const QCPAxis* y, const QColor& colour, double width);

/// The same into a raster whose width shows the range `keys` and whose upper edge is that of the panel of `y`.
void rasterSeries(LineRaster& raster, const SeriesStore& series, const QCPRange& keys, const QCPAxis* y);

/// Device pixels for one of the painter's, also where a picture is copied at twice its size.
[[nodiscard]] double pixelRatio(const QPainter* painter);

/// What is drawn is kept as lines and shapes, in a file that can be enlarged.
[[nodiscard]] bool keepsShapes(const QCPPainter* painter);

/// Whether a value has a place on the axis.
[[nodiscard]] bool drawable(double value, const QCPAxis* axis);

}  // namespace calibench
