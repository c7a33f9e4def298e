#pragma once

#include <QSet>

#include <array>
#include <string>
#include <unordered_map>
#include <vector>

#include "ui/plots/plot.h"
#include "ui/run_record.h"

class QCPAxisRect;
class QCPLegend;
class QCPMarginGroup;

namespace calibench {

class RangeBars;

/// Ranges of weights (above) and inputs (below) over one x axis: blocks in order, within a block its modules, one colour per
/// projection. The modules outside of the blocks follow behind the last one under their own names.
class RangePlot : public Plot {
    Q_OBJECT

public:
    /// `record` must outlive the plot.
    explicit RangePlot(const RunRecord& record, QWidget* parent = nullptr);

    void applySnapshot(const RunSnapshot& snapshot);
    void settle();  ///< the run has ended: nothing moves any more
    void setSelectedModule(const QString& module);
    [[nodiscard]] QString readoutAt(const QPointF& pixel) const override;

protected:
    void rebuild() override;
    void restyle(const PlotTheme& theme) override;
    [[nodiscard]] QString moduleAt(const QPointF& pixel) const override;

private:
    struct Panel {
        Tap tap = Tap::Weight;
        QCPAxisRect* rect = nullptr;
        std::vector<RangeBars*> bars;  ///< one per projection
    };

    void layOutModules();
    void rebuildPanel(Panel& panel);
    [[nodiscard]] const ModuleRecord* recordAt(const QPointF& pixel) const;
    [[nodiscard]] RangeBars* barsOf(Panel& panel, size_t projection);

    const RunRecord& m_record;
    std::array<Panel, 2> m_panels;
    QCPLegend* m_legend = nullptr;
    std::vector<double> m_keys;                ///< x of each module of the record
    std::vector<size_t> m_projectionOf;        ///< of each module of the record
    std::vector<std::string> m_projections;    ///< in order of appearance
    std::unordered_map<std::string, int> m_moving;
    double m_slotWidth = 1;
    double m_slots = 1;
    std::string m_selected;
};

}  // namespace calibench
