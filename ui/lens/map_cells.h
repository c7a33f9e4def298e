#pragma once

#include <QImage>

#include <optional>
#include <vector>

#include "core/analysis/weight_inspection.h"
#include "ui/plots/drawing.h"

namespace calibench {

// Where the cells of a tile lie on the matrix.
[[nodiscard]] Extent extentOf(const MapTile& tile, int64_t cell);
[[nodiscard]] std::optional<int64_t> cellAt(const MapTile& tile, int64_t row, int64_t column);
[[nodiscard]] bool isReduced(const MapTile& tile);  ///< a cell stands for more than one value
[[nodiscard]] float largestMagnitude(const MapTile& tile);  ///< of the finite values

/// How values become colours.
struct MapColours {
    QCPColorGradient gradient;
    double low = 0, high = 0;  ///< the gradient's ends
    bool magnitudes = false;   ///< the sign does not count
    QColor notANumber;

    [[nodiscard]] std::vector<QRgb> table() const;
    [[nodiscard]] size_t indexOf(float value) const;  ///< into the table
};

/// Draws one matrix between two axes that count columns and rows: what is in sight over the whole, with values written into cells
/// that are large enough, group boundaries where there is room, and a ring around one cell.
class MapCells : public Drawing {
public:
    MapCells(QCPAxis* columns, QCPAxis* rows) : Drawing(columns, rows) {}

    void setWhole(MapTile tile);   ///< lies under what is in sight, which may not be there yet
    void setDetail(MapTile tile);
    void forget();
    void setColours(const MapColours& colours);
    void setLines(const QColor& line, const QColor& halo);
    void setGroups(int64_t rows, int64_t columns);
    void setRing(std::optional<int64_t> cell) { m_ring = cell; }  ///< of what is in sight
    void setWidestText(const QString& text) { m_widestText = text; }  ///< values are written where this has room

    [[nodiscard]] const MapTile& whole() const { return m_whole; }
    [[nodiscard]] const MapTile& detail() const { return m_detail; }
    [[nodiscard]] std::optional<int64_t> largest() const;  ///< cell of the detail
    [[nodiscard]] QRectF boxOf(const Extent& part) const;  ///< in pixels

protected:
    void draw(QCPPainter* painter) override;

private:
    [[nodiscard]] QImage picture(const MapTile& tile) const;
    void drawTile(QCPPainter* painter, const MapTile& tile, const QImage& picture) const;
    void drawGroups(QCPPainter* painter) const;
    void drawValues(QCPPainter* painter) const;
    void drawRing(QCPPainter* painter) const;

    MapTile m_whole, m_detail;
    QImage m_wholePicture, m_detailPicture;
    MapColours m_colours;
    std::vector<QRgb> m_table;
    QColor m_line, m_halo;
    int64_t m_groupRows = 0, m_groupColumns = 0;
    std::optional<int64_t> m_ring;
    QString m_widestText = QStringLiteral("-0.00e-0");
};

}  // namespace calibench
