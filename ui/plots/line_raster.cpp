#include "ui/plots/line_raster.h"

#include <QColor>

#include <algorithm>
#include <cmath>

namespace calibench {

LineRaster::LineRaster(QSize size, double ratio, const QColor& colour)
    : m_picture(size * ratio, QImage::Format_ARGB32_Premultiplied), m_ratio(ratio), m_colour(colour.rgb()) {
    m_picture.setDevicePixelRatio(ratio);
    m_picture.fill(Qt::transparent);
}

void LineRaster::moveTo(double x, double y) {
    m_x = x * m_ratio;
    m_y = y * m_ratio;
}

void LineRaster::lineTo(double x, double y) {
    const double fromX = m_x, fromY = m_y;
    moveTo(x, y);
    if (m_x < 0 || fromX >= m_picture.width()) return;
    const double slope = m_x > fromX ? (m_y - fromY) / (m_x - fromX) : 0;
    const int first = static_cast<int>(std::max(0.0, std::floor(fromX))), last = static_cast<int>(std::min<double>(m_picture.width() - 1, std::floor(m_x)));
    for (int column = first; column <= last; ++column) {
        const double enter = std::max<double>(column, fromX), leave = std::min<double>(column + 1, m_x);
        if (m_x - fromX < 1e-9)
            stroke(column, fromY, m_y);
        else
            stroke(column, fromY + slope * (enter - fromX), fromY + slope * (leave - fromX));
    }
}

void LineRaster::stroke(int column, double from, double to) {
    if (from > to) std::swap(from, to);
    const double thickness = m_ratio;
    const double top = std::clamp(from, -1.0, m_picture.height() + 0.0), bottom = std::clamp(std::max(to, from + thickness), -1.0, m_picture.height() + 0.0);
    const int end = std::min(m_picture.height(), static_cast<int>(std::ceil(bottom)));
    const qsizetype stride = m_picture.bytesPerLine() / static_cast<qsizetype>(sizeof(QRgb));
    int row = std::max(0, static_cast<int>(std::floor(top)));
    QRgb* pixel = reinterpret_cast<QRgb*>(m_picture.bits()) + row * stride + column;
    for (; row < end; ++row, pixel += stride) *pixel = m_colour;
}

}  // namespace calibench
