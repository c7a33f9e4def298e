#include "ui/plots/column_raster.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace calibench {

ColumnRaster::ColumnRaster(QSize size, double ratio)
    : m_ratio(ratio), m_width(static_cast<int>(std::ceil(size.width() * ratio))), m_height(static_cast<int>(std::ceil(size.height() * ratio))),
      m_columns(static_cast<size_t>(m_width) * static_cast<size_t>(m_height), 0) {}

void ColumnRaster::fill(int column, double top, double bottom, uint8_t colour) {
    const double first = std::clamp(std::round(top), 0.0, m_height + 0.0), end = std::clamp(std::round(bottom), 0.0, m_height + 0.0);
    if (column < 0 || column >= m_width || !(end > first)) return;  // neither is a height that is no number
    uint8_t* const pixels = &m_columns[static_cast<size_t>(column) * static_cast<size_t>(m_height)];
    std::memset(pixels + static_cast<size_t>(first), colour, static_cast<size_t>(end - first));
}

QImage ColumnRaster::picture(const std::vector<QRgb>& palette) const {
    QImage picture(m_width, m_height, QImage::Format_ARGB32_Premultiplied);
    picture.setDevicePixelRatio(m_ratio);
    auto* const pixels = reinterpret_cast<QRgb*>(picture.bits());
    const qsizetype stride = picture.bytesPerLine() / static_cast<qsizetype>(sizeof(QRgb));
    constexpr int Tile = 32;  // rows and columns that stay in the cache while they are turned
    for (int left = 0; left < m_width; left += Tile)
        for (int top = 0; top < m_height; top += Tile)
            for (int row = top; row < std::min(top + Tile, m_height); ++row)
                for (int column = left; column < std::min(left + Tile, m_width); ++column)
                    pixels[row * stride + column] = palette[m_columns[static_cast<size_t>(column) * static_cast<size_t>(m_height) + static_cast<size_t>(row)]];
    return picture;
}

}  // namespace calibench
