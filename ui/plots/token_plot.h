#pragma once

#include <vector>

#include "ui/plots/plot.h"
#include "ui/run_record.h"

class QCPAxisRect;
class QCPColorMap;
class QCPColorScale;
class QCPGraph;

namespace calibench {

class TokenCells;

/// Tokens that each module has seen. A mixture of experts is a heat map of block against expert, with the experts outlined
/// that see too little to be calibrated well; a dense model is one line of totals.
class TokenPlot : public Plot {
    Q_OBJECT

public:
    /// An expert is outlined when it sees less than this part of the block's mean.
    static constexpr double ThresholdShare = 0.1;

    /// `record` must outlive the plot.
    explicit TokenPlot(const RunRecord& record, QWidget* parent = nullptr);

    void applySnapshot(const RunSnapshot& snapshot);
    [[nodiscard]] QString readoutAt(const QPointF& pixel) const override;

    /// Tokens by block and expert: the largest count of the expert's modules; -1 where nothing is known yet.
    struct Grid {
        int blocks = 0, experts = 0;
        std::vector<int64_t> tokens;  ///< [blocks, experts]
        [[nodiscard]] int64_t at(int block, int expert) const { return tokens[static_cast<size_t>(block * experts + expert)]; }
        [[nodiscard]] int64_t total(int block) const;
        [[nodiscard]] bool starved(int block, int expert) const;
    };
    [[nodiscard]] static Grid gridOf(const RunRecord& record);

protected:
    void rebuild() override;
    void restyle(const PlotTheme& theme) override;
    [[nodiscard]] QString moduleAt(const QPointF& pixel) const override;

private:
    void showScale(bool show);
    void rebuildExperts();
    void rebuildLine();
    [[nodiscard]] const ModuleRecord* denseModuleAt(const QPointF& pixel) const;

    const RunRecord& m_record;
    Grid m_grid;
    QCPAxisRect* m_rect = nullptr;
    QCPColorMap* m_map = nullptr;
    QCPColorScale* m_scale = nullptr;
    TokenCells* m_cells = nullptr;
    QCPGraph* m_line = nullptr;
};

}  // namespace calibench
