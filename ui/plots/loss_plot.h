#pragma once

#include "ui/plots/plot.h"
#include "ui/run_record.h"

class QCPAxisRect;
class QComboBox;

namespace calibench {

class LossCurves;
class LossStrip;

/// Loss of each tuning iteration of the block at work, or of the selected one. Above, a strip of all blocks: loss at the start
/// and the best, so that a block that did not improve stands out.
///
/// Spots: first the blocks of the strip, then the iterations of the block shown, attempt after attempt.
class LossPlot : public Plot {
    Q_OBJECT

public:
    /// `record` must outlive the plot.
    explicit LossPlot(const RunRecord& record, QWidget* parent = nullptr);

    void applySnapshot(const RunSnapshot& snapshot);
    /// The block shown in full colour; -1 follows the one at work.
    void showBlock(int block);
    [[nodiscard]] int shownBlock() const;

    [[nodiscard]] PlotTable table() const override;
    [[nodiscard]] PlotTable wholeTable() const override;  ///< every iteration of every attempt at every block
    [[nodiscard]] int spotAt(const QPointF& pixel) const override;
    [[nodiscard]] QRectF boxOf(int spot) const override;
    [[nodiscard]] QString readoutOf(int spot) const override;
    [[nodiscard]] QString moduleOf(int spot) const override;

protected:
    void rebuild() override;
    void followed() override { showBlock(-1); }
    void selectionChanged() override;
    void restyle(const PlotTheme& theme) override;
    [[nodiscard]] std::vector<QRectF> selectionBoxes() const override;
    [[nodiscard]] int spotBeside(int spot, int columns, int rows) const override;
    [[nodiscard]] QString note() const override;
    [[nodiscard]] bool showsNewest() const override { return m_pinnedBlock < 0; }

private:
    /// What a spot stands for: a block of the strip (attempt -1), or an iteration.
    struct Place {
        int block = -1, attempt = -1;
        size_t index = 0;
    };

    void makePanels();
    void setScale(bool logarithmic);
    void rebuildMain();
    void rebuildStrip();
    [[nodiscard]] int numBlocks() const { return static_cast<int>(m_record.blocks().size()); }
    [[nodiscard]] const std::vector<AttemptRecord>& attempts() const;  ///< of the block shown
    [[nodiscard]] Place placeOf(int spot) const;
    [[nodiscard]] int spotOf(const Place& place) const;
    [[nodiscard]] int nearestIteration(const QPointF& pixel) const;
    [[nodiscard]] QString stripReadout(int block) const;
    [[nodiscard]] PlotTable stripTable() const;

    const RunRecord& m_record;
    int m_pinnedBlock = -1;
    bool m_logarithmic = true;
    bool m_fitValues = false;  ///< once, because the scale was switched
    QComboBox* m_scale;
    QCPAxisRect* m_strip = nullptr;
    QCPAxisRect* m_main = nullptr;
    LossStrip* m_dumbbells = nullptr;
    LossCurves* m_curves = nullptr;
};

}  // namespace calibench
