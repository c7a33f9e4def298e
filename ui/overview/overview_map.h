#pragma once

#include <QHash>

#include <functional>
#include <vector>

#include "ui/overview/metric.h"
#include "ui/plots/plot.h"

class QCPAxis;
class QCPAxisRect;
class QCPColorScale;

namespace calibench {

class MapCells;
class OverviewLoader;
class Session;

/// One number of every module by block and projection. Of modules that share a place, as experts do, the worst one is shown.
///
/// Spots: the cells, row by row.
class OverviewMap : public Plot {
    Q_OBJECT

public:
    /// Both must outlive the map.
    OverviewMap(const Session& session, const OverviewLoader& loader, QWidget* parent = nullptr);

    void setMetric(MetricKind kind);
    [[nodiscard]] MetricKind metricKind() const { return m_kind; }

    [[nodiscard]] PlotTable table() const override;
    [[nodiscard]] PlotTable wholeTable() const override;
    [[nodiscard]] int spotAt(const QPointF& pixel) const override;
    [[nodiscard]] QRectF boxOf(int spot) const override;
    [[nodiscard]] QString readoutOf(int spot) const override;
    [[nodiscard]] QString moduleOf(int spot) const override;

protected:
    void rebuild() override;
    void restyle(const PlotTheme& theme) override;
    [[nodiscard]] std::vector<QRectF> selectionBoxes() const override;
    [[nodiscard]] int spotBeside(int spot, int columns, int rows) const override;
    [[nodiscard]] QString note() const override;

private:
    struct Place {
        int block = 0, projection = 0;
    };
    struct Cell {
        int module = -1;  ///< of the loader: the worst one that is known, else the first
        std::optional<double> value;
    };

    [[nodiscard]] PlotTable tableOf(const std::function<bool(int)>& blockCounts) const;
    void makePanel();
    void takeModules();
    void fillCells();
    [[nodiscard]] int cellOf(const Place& place) const { return place.projection * m_blocks + place.block; }

    const Session& m_session;
    const OverviewLoader& m_loader;
    MetricKind m_kind = MetricKind::Sqnr;
    std::vector<std::optional<Place>> m_places;  ///< by module of the loader
    QHash<QString, int> m_index;
    QStringList m_projections;
    int m_blocks = 0;
    std::vector<Cell> m_cells;
    QCPAxisRect* m_rect = nullptr;
    QCPAxis *m_x = nullptr, *m_y = nullptr;
    QCPColorScale* m_scale = nullptr;
    MapCells* m_drawing = nullptr;
};

}  // namespace calibench
