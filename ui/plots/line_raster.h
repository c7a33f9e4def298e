#pragma once

#include <QColor>

#include "ui/plots/column_raster.h"

namespace calibench {

/// Draws jagged lines of one colour into a picture: in each column of pixels a line is one upright stroke. Not antialiased.
class LineRaster {
public:
    /// `size` and `width` of the lines in logical pixels, of which each is `ratio` device pixels wide.
    LineRaster(QSize size, double ratio, double width);

    [[nodiscard]] QSize size() const { return m_size; }
    void moveTo(double x, double y);  ///< logical pixels from the upper left corner
    void lineTo(double x, double y);  ///< x must not fall

    [[nodiscard]] QImage picture(const QColor& colour) const { return m_pixels.picture({0, colour.rgb()}); }

private:
    void stroke(int column, double from, double to);

    const QSize m_size;
    ColumnRaster m_pixels;
    const double m_thickness;  ///< device pixels, as is the place
    double m_x = 0, m_y = 0;
};

}  // namespace calibench
