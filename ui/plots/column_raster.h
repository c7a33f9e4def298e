#pragma once

#include <QImage>
#include <QSize>

#include <cstdint>
#include <vector>

namespace calibench {

/// A picture of a few colours that is filled by upright strokes. Those lie together in memory, which makes thousands of them a
/// hundred times as fast as a painter's.
class ColumnRaster {
public:
    /// `size` in logical pixels, of which each is `ratio` device pixels wide.
    ColumnRaster(QSize size, double ratio);

    [[nodiscard]] int width() const { return m_width; }  ///< device pixels, as is all below
    [[nodiscard]] double ratio() const { return m_ratio; }
    /// Between these heights, rounded to whole pixels; what lies outside of the picture is left out.
    void fill(int column, double top, double bottom, uint8_t colour);

    /// Colour 0 is what was not filled.
    [[nodiscard]] QImage picture(const std::vector<QRgb>& palette) const;

private:
    const double m_ratio;
    const int m_width, m_height;
    std::vector<uint8_t> m_columns;  ///< [width, height]
};

}  // namespace calibench
