#pragma once

#include <QTimer>

#include <array>
#include <optional>
#include <vector>

#include "ui/latest_task.h"
#include "ui/lens/map_cells.h"
#include "ui/lens/microscope.h"
#include "ui/plots/plot.h"

class QComboBox;
class QCPAxisRect;
class QCPColorScale;

namespace calibench {

/// A weight as a map of rows and columns: its error, itself, its quantized form or its scales. Two quantized forms stand side by side
/// and are zoomed as one. What is in sight comes in tiles that are made in the background, one at a time.
///
/// Spots: the cells of the tile in sight of the first panel, then those of the second.
class MapPlot : public Plot {
    Q_OBJECT

public:
    explicit MapPlot(QWidget* parent = nullptr);

    /// One or two forms of the same weight; none lets go of all that is held. The view stays while the shape does.
    void setSlides(const std::vector<Slide>& slides);
    void setLayer(WeightLayer layer);
    [[nodiscard]] WeightLayer layer() const { return m_layer; }
    /// Outlined in both panels: a group, a row, a column.
    void setMarked(const std::optional<Extent>& part);
    /// A whole row or column with some of its neighbours.
    void zoomToRow(int64_t row);
    void zoomToColumn(int64_t column);
    [[nodiscard]] Extent seen() const;
    [[nodiscard]] bool busy() const { return m_tiles.busy() || m_request.isActive(); }

    [[nodiscard]] PlotTable table() const override;
    [[nodiscard]] PlotTable wholeTable() const override;  ///< of both forms; all values would be hundreds of megabytes
    [[nodiscard]] bool wholeTableIsInSight() const override { return true; }
    [[nodiscard]] int spotAt(const QPointF& pixel) const override;
    [[nodiscard]] QRectF boxOf(int spot) const override;
    [[nodiscard]] QString readoutOf(int spot) const override;
    [[nodiscard]] QString moduleOf(int) const override { return {}; }
    /// What one panel draws; null when there are fewer.
    [[nodiscard]] const MapCells* cells(size_t panel) const { return panel < m_slides.size() ? m_panels[panel].cells : nullptr; }

Q_SIGNALS:
    void valueClicked(qint64 row, qint64 column);
    void tilesArrived();  ///< of what is in sight now

protected:
    void rebuild() override;
    void restyle(const PlotTheme& theme) override;
    bool clicked(const QPointF& pixel) override;
    [[nodiscard]] std::vector<QRectF> selectionBoxes() const override;
    [[nodiscard]] int spotBeside(int spot, int columns, int rows) const override;
    void resizeEvent(QResizeEvent* event) override;
    void showEvent(QShowEvent* event) override;

private:
    struct Panel {
        QCPAxisRect* rect = nullptr;
        QCPAxis *x = nullptr, *y = nullptr;
        MapCells* cells = nullptr;
    };
    struct Place {
        size_t panel = 0;
        int64_t cell = 0;
    };
    struct Tiles {
        Extent part;
        std::vector<MapTile> inSight;
        std::vector<MapTile> whole;  ///< empty when they are known already
    };

    void makePanel(Panel& panel);
    void makeScale();
    void link(QCPAxis* axis, QCPAxis* other);
    void arrange();
    void fitLabels();
    void requestTiles();
    void takeTiles(Tiles tiles);
    void recolour();
    [[nodiscard]] std::optional<Place> placeOf(int spot) const;
    [[nodiscard]] Extent whole() const;
    [[nodiscard]] static float valueOf(const Slide& slide, WeightLayer layer, int64_t row, int64_t column);

    std::array<Panel, 2> m_panels;
    std::vector<Slide> m_slides;
    QComboBox *m_layers, *m_reach;
    QCPColorScale* m_scale = nullptr;
    WeightLayer m_layer = WeightLayer::Error;
    bool m_wholeKnown = false;  ///< the tiles of the whole are those of these slides and this layer
    std::optional<Extent> m_marked;
    QTimer m_request;  ///< many changes of the view in one turn of the event loop are one question
    LatestTask m_tiles;
};

}  // namespace calibench
