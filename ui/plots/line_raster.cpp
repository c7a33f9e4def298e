#include "ui/plots/line_raster.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace calibench {

LineRaster::LineRaster(QSize size, double ratio, double width) : m_size(size), m_pixels(size, ratio), m_thickness(width * ratio) {}

void LineRaster::moveTo(double x, double y) {
    m_x = x * m_pixels.ratio();
    m_y = y * m_pixels.ratio();
}

void LineRaster::lineTo(double x, double y) {
    const double fromX = m_x, fromY = m_y;
    moveTo(x, y);
    if (m_x < 0 || fromX >= m_pixels.width()) return;
    const bool upright = m_x - fromX < 1e-9;
    const double slope = upright ? 0 : (m_y - fromY) / (m_x - fromX);
    const int first = static_cast<int>(std::max(0.0, std::floor(fromX)));
    const int last = static_cast<int>(std::min(m_pixels.width() - 1.0, std::floor(m_x)));
    for (int column = first; column <= last; ++column) {
        const double enter = std::max<double>(column, fromX), leave = std::min<double>(column + 1, m_x);
        if (upright)
            stroke(column, fromY, m_y);
        else
            stroke(column, fromY + slope * (enter - fromX), fromY + slope * (leave - fromX));
    }
}

void LineRaster::stroke(int column, double from, double to) {
    if (from > to) std::swap(from, to);
    m_pixels.fill(column, from - m_thickness / 2, to + m_thickness / 2, 1);
}

}  // namespace calibench
