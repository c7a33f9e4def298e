#pragma once

#include <QColor>
#include <QImage>

#include <cstdint>
#include <vector>

namespace calibench {

/// Draws jagged lines of one colour into a picture, a hundred times as fast as a painter: in each column of pixels a line is
/// one upright stroke. Not antialiased.
class LineRaster {
public:
    /// `size` and `width` of the lines in logical pixels, of which each is `ratio` device pixels wide.
    LineRaster(QSize size, double ratio, double width);

    void moveTo(double x, double y);  ///< logical pixels from the upper left corner
    void lineTo(double x, double y);  ///< x must not fall

    [[nodiscard]] QImage picture(const QColor& colour) const;

private:
    void stroke(int column, double from, double to);

    const double m_ratio;
    const double m_thickness;        ///< device pixels, as are all below
    const int m_width, m_height;
    std::vector<uint8_t> m_columns;  ///< [width, height]: strokes lie together in memory
    double m_x = 0, m_y = 0;
};

}  // namespace calibench
