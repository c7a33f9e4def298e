#pragma once

#include "ui/plots/plot.h"
#include "ui/plots/token_grid.h"
#include "ui/run_record.h"

class QCPAxis;
class QCPAxisRect;
class QCPColorMap;
class QCPColorScale;
class QCPGraph;
class QCPRange;
class QSpinBox;

namespace calibench {

class TokenCells;

/// Tokens that each module has seen. A mixture of experts is a heat map of block against expert with totals in its margins,
/// and the experts outlined that see too little to be calibrated well; a dense model is one line of totals.
///
/// Spots: the cells of the map row by row, or the modules of the record.
class TokenPlot : public Plot {
    Q_OBJECT

public:
    /// `record` must outlive the plot.
    explicit TokenPlot(const RunRecord& record, QWidget* parent = nullptr);

    void applySnapshot(const RunSnapshot& snapshot);
    /// An expert is outlined when it sees less than this percentage of the block's mean.
    void setThreshold(int percent);
    [[nodiscard]] int threshold() const;

    [[nodiscard]] PlotTable table() const override;
    [[nodiscard]] PlotTable wholeTable() const override;
    [[nodiscard]] int spotAt(const QPointF& pixel) const override;
    [[nodiscard]] QRectF boxOf(int spot) const override;
    [[nodiscard]] QString readoutOf(int spot) const override;
    [[nodiscard]] QString moduleOf(int spot) const override;

Q_SIGNALS:
    void thresholdChanged(int percent);

protected:
    void rebuild() override;
    void restyle(const PlotTheme& theme) override;
    [[nodiscard]] std::vector<QRectF> selectionBoxes() const override;
    [[nodiscard]] int spotBeside(int spot, int columns, int rows) const override;
    [[nodiscard]] QString note() const override;

private:
    [[nodiscard]] PlotTable tableOf(const QCPRange& columns, const QCPRange& rows) const;
    [[nodiscard]] bool isMap() const { return m_record.numExperts() > 0; }
    void makePanel();
    void makeScale();
    void showScale(bool show);
    void rebuildMap();
    void rebuildLine();
    void labelMargins();
    [[nodiscard]] QRectF cellBox(double column, double row, double columns, double rows) const;

    const RunRecord& m_record;
    TokenGrid m_grid;
    QSpinBox* m_threshold;
    QWidget* m_thresholdRow;
    QCPAxisRect* m_rect = nullptr;
    QCPAxis *m_x = nullptr, *m_y = nullptr;
    QCPColorMap* m_map = nullptr;
    QCPColorScale* m_scale = nullptr;
    TokenCells* m_cells = nullptr;
    QCPGraph *m_line = nullptr, *m_dots = nullptr;  ///< the line breaks where nothing is known; a dot there would stand in a corner
    QStringList m_labels;  ///< of the modules, for the line
};

}  // namespace calibench
