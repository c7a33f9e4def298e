#pragma once

#include <QSet>
#include <QTimer>

#include <array>
#include <vector>

#include "ui/plots/module_places.h"
#include "ui/plots/plot.h"
#include "ui/plots/scales.h"
#include "ui/run_record.h"

class QCPAxisRect;
class QCPLegend;

namespace calibench {

class RangeBars;
class RangePainter;

/// Ranges of weights (above) and inputs (below) over one x axis: blocks in order, within a block its modules, one colour per
/// projection. A click on a projection's name hides or shows its bars.
///
/// Spots: two for each module of the record, its weight and its inputs.
class RangePlot : public Plot {
    Q_OBJECT

public:
    enum class Scale { Automatic, Linear, Symlog };

    /// `record` must outlive the plot.
    explicit RangePlot(const RunRecord& record, QWidget* parent = nullptr);

    void applySnapshot(const RunSnapshot& snapshot);
    void settle();  ///< the run has ended: nothing moves any more
    void setScale(Tap tap, Scale scale);
    void setProjectionShown(const QString& projection, bool shown);
    [[nodiscard]] bool projectionShown(const QString& projection) const { return !m_hidden.contains(projection); }

    [[nodiscard]] PlotTable table() const override;
    [[nodiscard]] PlotTable wholeTable() const override;  ///< hidden projections too
    [[nodiscard]] int spotAt(const QPointF& pixel) const override;
    [[nodiscard]] QRectF boxOf(int spot) const override;
    [[nodiscard]] QString readoutOf(int spot) const override;
    [[nodiscard]] QString moduleOf(int spot) const override;

protected:
    void rebuild() override;
    void restyle(const PlotTheme& theme) override;
    bool clicked(const QPointF& pixel) override;
    void extendMenu(QMenu* menu) override;
    void resizeEvent(QResizeEvent* event) override;
    [[nodiscard]] std::vector<QRectF> selectionBoxes() const override;
    [[nodiscard]] int spotBeside(int spot, int columns, int rows) const override;
    [[nodiscard]] QString note() const override;

private:
    struct Panel {
        Tap tap = Tap::Weight;
        QCPAxisRect* rect = nullptr;
        std::vector<RangeBars*> bars;  ///< one per projection
        RangePainter* painter = nullptr;
        Scale scale = Scale::Automatic;
        Symlog symlog;                 ///< the scale as drawn
        bool fitValues = false;        ///< once, because the scale was switched
    };

    void makePanel(Panel& panel);
    void rebuildPanel(Panel& panel);
    void wrapLegend();
    [[nodiscard]] Symlog scaleFor(const Panel& panel) const;
    [[nodiscard]] RangeBars* barsOf(Panel& panel, size_t projection);
    [[nodiscard]] PlotTable tableOf(const std::function<bool(size_t)>& counts) const;
    [[nodiscard]] bool shown(size_t module, Tap tap) const;  ///< it has a bar, and its projection is not hidden
    [[nodiscard]] QRectF boxOf(const Panel& panel, size_t module) const;

    const RunRecord& m_record;
    std::array<Panel, 2> m_panels;
    QCPLegend* m_legend = nullptr;
    ModulePlaces m_places;
    QSet<QString> m_hidden;              ///< projections

    /// Modules of the record, by tap: one bit each.
    using TapBits = std::vector<unsigned char>;
    TapBits m_moving, m_fresh, m_known;
    QTimer m_fadeIn;  ///< how long a new bar stays pale
};

}  // namespace calibench
