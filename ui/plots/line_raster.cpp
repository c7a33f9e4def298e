#include "ui/plots/line_raster.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

namespace calibench {

LineRaster::LineRaster(QSize size, double ratio, double width)
    : m_ratio(ratio), m_thickness(width * ratio), m_width(static_cast<int>(std::ceil(size.width() * ratio))),
      m_height(static_cast<int>(std::ceil(size.height() * ratio))), m_columns(static_cast<size_t>(m_width) * static_cast<size_t>(m_height), 0) {}

void LineRaster::moveTo(double x, double y) {
    m_x = x * m_ratio;
    m_y = y * m_ratio;
}

void LineRaster::lineTo(double x, double y) {
    const double fromX = m_x, fromY = m_y;
    moveTo(x, y);
    if (m_x < 0 || fromX >= m_width) return;
    const bool upright = m_x - fromX < 1e-9;
    const double slope = upright ? 0 : (m_y - fromY) / (m_x - fromX);
    const int first = static_cast<int>(std::max(0.0, std::floor(fromX))), last = static_cast<int>(std::min(m_width - 1.0, std::floor(m_x)));
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
    const double half = m_thickness / 2;
    const int top = static_cast<int>(std::clamp(std::round(from - half), 0.0, m_height + 0.0));
    const int bottom = static_cast<int>(std::clamp(std::round(to + half), 0.0, m_height + 0.0));
    if (bottom > top) std::memset(&m_columns[static_cast<size_t>(column) * static_cast<size_t>(m_height) + static_cast<size_t>(top)], 1, static_cast<size_t>(bottom - top));
}

QImage LineRaster::picture(const QColor& colour) const {
    QImage picture(m_width, m_height, QImage::Format_ARGB32_Premultiplied);
    picture.setDevicePixelRatio(m_ratio);
    const QRgb values[] = {0, colour.rgb()};
    auto* const pixels = reinterpret_cast<QRgb*>(picture.bits());
    const qsizetype stride = picture.bytesPerLine() / static_cast<qsizetype>(sizeof(QRgb));
    constexpr int Tile = 32;  // rows and columns that stay in the cache while they are turned
    for (int left = 0; left < m_width; left += Tile)
        for (int top = 0; top < m_height; top += Tile)
            for (int row = top; row < std::min(top + Tile, m_height); ++row)
                for (int column = left; column < std::min(left + Tile, m_width); ++column)
                    pixels[row * stride + column] = values[m_columns[static_cast<size_t>(column) * static_cast<size_t>(m_height) + static_cast<size_t>(row)]];
    return picture;
}

}  // namespace calibench
