#pragma once

#include <vector>

#include "ui/plots/plot.h"
#include "ui/run_record.h"

class QCPAxisRect;
class QCPErrorBars;
class QCPGraph;

namespace calibench {

/// Loss of each tuning iteration of the block at work, with its best iterate as a dot and the finished blocks as thin lines
/// behind it. Above, a strip of all blocks: loss at the start and the best, so that a block that did not improve stands out.
class LossPlot : public Plot {
    Q_OBJECT

public:
    /// `record` must outlive the plot.
    explicit LossPlot(const RunRecord& record, QWidget* parent = nullptr);

    void applySnapshot(const RunSnapshot& snapshot);
    /// The block shown in full colour; -1 follows the one at work.
    void showBlock(int block);
    [[nodiscard]] int shownBlock() const;
    [[nodiscard]] QString readoutAt(const QPointF& pixel) const override;

protected:
    void rebuild() override;
    void followed() override { m_pinnedBlock = -1; }
    void restyle(const PlotTheme& theme) override;

private:
    void rebuildCurves();
    void rebuildStrip();
    [[nodiscard]] QString stripReadout(const QPointF& pixel) const;
    [[nodiscard]] QString curveReadout(const QPointF& pixel) const;

    const RunRecord& m_record;
    int m_pinnedBlock = -1;
    QCPAxisRect* m_strip = nullptr;
    QCPAxisRect* m_main = nullptr;
    QCPGraph* m_initial = nullptr;     ///< strip: loss of round to nearest
    QCPGraph* m_best = nullptr;        ///< strip: best loss
    QCPGraph* m_unimproved = nullptr;  ///< strip: blocks that tuning did not help
    std::vector<QCPGraph*> m_handles;  ///< strip: from start to best, one line per block
    std::vector<QCPGraph*> m_curves;   ///< one per block
    QCPGraph* m_bestPoint = nullptr;
    QCPGraph* m_notFinite = nullptr;   ///< where the loss is no number, at the upper edge
};

}  // namespace calibench
