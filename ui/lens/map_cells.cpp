#include "ui/lens/map_cells.h"

#include <QFontMetricsF>

#include <algorithm>
#include <cmath>
#include <utility>

#include "ui/format.h"
#include "ui/plots/series_painter.h"

namespace calibench {

namespace {

constexpr size_t Shades = 255;          // odd: zero has a shade of its own
constexpr int MostShapes = 4000;        // in a drawing that keeps them; a finer map is a picture in it
constexpr double RoomForGroups = 48;    // pixels between two boundaries, below which they hide the values

}  // namespace

Extent extentOf(const MapTile& tile, int64_t cell) {
    const int64_t row = cell / tile.columns * tile.cell_rows, column = cell % tile.columns * tile.cell_columns;
    return {.row = tile.covers.row + row, .column = tile.covers.column + column,
            .rows = std::min(tile.cell_rows, tile.covers.rows - row), .columns = std::min(tile.cell_columns, tile.covers.columns - column)};
}

std::optional<int64_t> cellAt(const MapTile& tile, int64_t row, int64_t column) {
    row -= tile.covers.row;
    column -= tile.covers.column;
    if (row < 0 || row >= tile.covers.rows || column < 0 || column >= tile.covers.columns) return {};
    return row / tile.cell_rows * tile.columns + column / tile.cell_columns;
}

bool isReduced(const MapTile& tile) { return tile.cell_rows > 1 || tile.cell_columns > 1; }

float largestMagnitude(const MapTile& tile) {
    float largest = 0;
    for (const float value : tile.values)
        if (std::isfinite(value)) largest = std::max(largest, std::abs(value));
    return largest;
}

std::vector<QRgb> MapColours::table() const {
    QCPColorGradient shades = gradient;
    std::vector<QRgb> table;
    for (size_t i = 0; i < Shades; ++i) table.push_back(shades.color(static_cast<double>(i), QCPRange(0, Shades - 1)));
    table.push_back(notANumber.rgb());
    return table;
}

size_t MapColours::indexOf(float value) const {
    if (std::isnan(value)) return Shades;
    const double shown = std::clamp(static_cast<double>(magnitudes ? std::abs(value) : value), low, high);
    return static_cast<size_t>(std::lround((high > low ? (shown - low) / (high - low) : 0.5) * (Shades - 1)));
}

void MapCells::setWhole(MapTile tile) {
    m_whole = std::move(tile);
    m_wholePicture = picture(m_whole);
}

void MapCells::setDetail(MapTile tile) {
    m_detail = std::move(tile);
    m_detailPicture = picture(m_detail);
}

void MapCells::forget() {
    setWhole({});
    setDetail({});
    m_ring.reset();
}

void MapCells::setColours(const MapColours& colours) {
    m_colours = colours;
    m_table = colours.table();
    m_wholePicture = picture(m_whole);
    m_detailPicture = picture(m_detail);
}

void MapCells::setLines(const QColor& line, const QColor& halo) {
    m_line = line;
    m_halo = halo;
}

void MapCells::setGroups(int64_t rows, int64_t columns) {
    m_groupRows = rows;
    m_groupColumns = columns;
}

std::optional<int64_t> MapCells::largest() const {
    const auto& values = m_detail.values;
    const auto found = std::max_element(values.begin(), values.end(), [](float a, float b) {
        return (std::isfinite(a) ? std::abs(a) : 0) < (std::isfinite(b) ? std::abs(b) : 0);
    });
    return found == values.end() || *found == 0 ? std::nullopt : std::optional<int64_t>(found - values.begin());
}

QImage MapCells::picture(const MapTile& tile) const {
    if (m_table.empty() || tile.values.empty()) return {};
    QImage image(static_cast<int>(tile.columns), static_cast<int>(tile.rows), QImage::Format_RGB32);
    const float* value = tile.values.data();
    for (int row = 0; row < image.height(); ++row) {
        auto* pixel = reinterpret_cast<QRgb*>(image.scanLine(row));
        for (int column = 0; column < image.width(); ++column) *pixel++ = m_table[m_colours.indexOf(*value++)];
    }
    return image;
}

QRectF MapCells::boxOf(const Extent& part) const {
    const auto x = [this](int64_t column) { return keyAxis()->coordToPixel(static_cast<double>(column) - 0.5); };
    const auto y = [this](int64_t row) { return valueAxis()->coordToPixel(static_cast<double>(row) - 0.5); };
    return QRectF(QPointF(x(part.column), y(part.row)), QPointF(x(part.column + part.columns), y(part.row + part.rows))).normalized();
}

void MapCells::draw(QCPPainter* painter) {
    painter->setAntialiasing(false);
    drawTile(painter, m_whole, m_wholePicture);
    drawTile(painter, m_detail, m_detailPicture);
    drawGroups(painter);
    drawValues(painter);
    if (m_ring) drawRing(painter);
}

void MapCells::drawTile(QCPPainter* painter, const MapTile& tile, const QImage& picture) const {
    if (picture.isNull()) return;
    // Only the cells in sight: a picture blown up a thousand times would be scaled as a whole.
    const QRectF all = clipRect();
    const QRectF first = boxOf({tile.covers.row, tile.covers.column, tile.cell_rows, tile.cell_columns});
    const double width = std::max(first.width(), 1e-9), height = std::max(first.height(), 1e-9);
    const int left = std::clamp(static_cast<int>((all.left() - first.left()) / width), 0, picture.width());
    const int top = std::clamp(static_cast<int>((all.top() - first.top()) / height), 0, picture.height());
    const int right = std::clamp(static_cast<int>((all.right() - first.left()) / width) + 2, left, picture.width());
    const int bottom = std::clamp(static_cast<int>((all.bottom() - first.top()) / height) + 2, top, picture.height());
    if (left == right || top == bottom) return;
    if (keepsShapes(painter) && (right - left) * (bottom - top) <= MostShapes) {
        for (int row = top; row < bottom; ++row)
            for (int column = left; column < right; ++column)
                painter->fillRect(boxOf(extentOf(tile, row * tile.columns + column)) & all, QColor(picture.pixel(column, row)));
        return;
    }
    // The last row and column may cover less than the others: what they overhang is not part of the matrix.
    painter->save();
    painter->setClipRect(boxOf(tile.covers) & all, Qt::IntersectClip);
    painter->drawImage(QRectF(first.left() + left * width, first.top() + top * height, (right - left) * width, (bottom - top) * height), picture,
                       QRectF(left, top, right - left, bottom - top));
    painter->restore();
}

void MapCells::drawGroups(QCPPainter* painter) const {
    const QRectF all = clipRect() & boxOf(m_whole.covers).toAlignedRect();
    const auto draw = [&](const QCPAxis* axis, int64_t size, bool vertical) {
        if (size <= 1 || std::abs(axis->coordToPixel(static_cast<double>(size)) - axis->coordToPixel(0)) < RoomForGroups) return;
        const auto first = static_cast<int64_t>(std::ceil(axis->range().lower / static_cast<double>(size)));
        for (int64_t at = std::max<int64_t>(1, first) * size; static_cast<double>(at) <= axis->range().upper; at += size) {
            const double pixel = axis->coordToPixel(static_cast<double>(at) - 0.5);
            vertical ? painter->drawLine(QPointF(pixel, all.top()), QPointF(pixel, all.bottom())) : painter->drawLine(QPointF(all.left(), pixel), QPointF(all.right(), pixel));
        }
    };
    QColor line = m_line;
    line.setAlpha(60);
    painter->setPen(QPen(line, 1));
    draw(keyAxis(), m_groupColumns, true);
    draw(valueAxis(), m_groupRows, false);
}

void MapCells::drawValues(QCPPainter* painter) const {
    if (m_detail.values.empty() || isReduced(m_detail)) return;
    painter->setFont(keyAxis()->tickLabelFont());
    const QFontMetricsF metrics(painter->font());
    const QRectF cell = boxOf(extentOf(m_detail, 0));
    if (cell.height() < metrics.height() + 2 || cell.width() < metrics.horizontalAdvance(m_widestText) + 6) return;
    const QRectF all = clipRect();
    for (size_t i = 0; i < m_detail.values.size(); ++i) {
        const QRectF box = boxOf(extentOf(m_detail, static_cast<int64_t>(i)));
        if (!all.intersects(box)) continue;
        const float value = m_detail.values[i];
        if (std::isnan(value)) continue;
        painter->setPen(qGray(m_table[m_colours.indexOf(value)]) > 140 ? Qt::black : Qt::white);
        painter->drawText(box, Qt::AlignCenter, formatNumber(static_cast<double>(value)));
    }
}

void MapCells::drawRing(QCPPainter* painter) const {
    if (*m_ring >= static_cast<int64_t>(m_detail.values.size())) return;
    const QRectF box = boxOf(extentOf(m_detail, *m_ring));
    const QPointF centre = box.center();
    const double x = std::max(7.0, box.width() / 2 + 2), y = std::max(7.0, box.height() / 2 + 2);
    painter->setAntialiasing(true);
    painter->setBrush(Qt::NoBrush);
    painter->setPen(QPen(m_halo, 4));
    painter->drawRoundedRect(QRectF(centre - QPointF(x, y), centre + QPointF(x, y)), 7, 7);
    painter->setPen(QPen(m_line, 1.5));
    painter->drawRoundedRect(QRectF(centre - QPointF(x, y), centre + QPointF(x, y)), 7, 7);
}

}  // namespace calibench
