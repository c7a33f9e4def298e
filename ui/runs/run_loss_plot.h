#pragma once

#include <QHash>

#include "ui/plots/plot.h"
#include "ui/runs/compared_runs.h"

class QCPAxis;
class QCPAxisRect;
class QCPGraph;
class QCPLayoutGrid;
class QCPLegend;

namespace calibench {

/// Losses of several runs: left, each block's loss at the start (dashed) and at best, a curve a run; right, the iterations of one block.
///
/// Spots: the blocks of each run, run after run, then the iterations of the block shown, run after run.
class RunLossPlot : public Plot {
    Q_OBJECT

public:
    explicit RunLossPlot(QWidget* parent = nullptr);

    void setRuns(const std::vector<ComparedRun>& runs);
    [[nodiscard]] int shownBlock() const;

    [[nodiscard]] PlotTable table() const override;
    [[nodiscard]] PlotTable wholeTable() const override;  ///< every iteration of every block
    [[nodiscard]] int spotAt(const QPointF& pixel) const override;
    [[nodiscard]] QRectF boxOf(int spot) const override;
    [[nodiscard]] QString readoutOf(int spot) const override;
    [[nodiscard]] QString moduleOf(int spot) const override;

protected:
    void rebuild() override;
    void selectionChanged() override { refresh(); }
    void restyle(const PlotTheme& theme) override;
    [[nodiscard]] std::vector<QRectF> selectionBoxes() const override;
    [[nodiscard]] int spotBeside(int spot, int columns, int rows) const override;
    [[nodiscard]] QString note() const override;

private:
    struct Panel {
        QCPAxisRect* rect = nullptr;
        QCPAxis *x = nullptr, *y = nullptr;
    };
    struct Curves {
        QCPGraph *start, *best, *iterations;
    };
    /// A number that is drawn: of a block (iteration -1) or of an iteration of the block shown.
    struct Place {
        size_t run = 0;
        int64_t block = -1, iteration = -1;
        double loss = 0;
    };
    Panel makePanel(QCPLayoutGrid& panels, int column, const QString& bottom, const QString& left);
    void makeCurves();
    void styleCurves();
    void fit(const Panel& panel, double last, const std::vector<double>& losses, double first);
    [[nodiscard]] const Place* placeOf(int spot) const;  ///< null: no spot
    [[nodiscard]] const BlockFacts* block(size_t run, int64_t index) const;
    [[nodiscard]] int64_t selectedBlock() const;
    [[nodiscard]] QString nameOf(size_t run) const;

    std::vector<ComparedRun> m_runs;
    QHash<QString, int64_t> m_blockOf;  ///< of modules and of blocks by their names
    std::vector<Curves> m_curves;
    std::vector<Place> m_places;        ///< the spots
    Panel m_blocks, m_iterations;
    QCPLegend* m_legend;
};

}  // namespace calibench
