#pragma once

#include <array>
#include <optional>

#include "ui/lens/value_grid.h"
#include "ui/plots/plot.h"

class QComboBox;
class QCPAxis;
class QCPAxisRect;

namespace calibench {

class HistogramBars;

/// How a module's weights and inputs are distributed, and what of that their grids can hold.
///
/// Spots: the bins of the weights, then those of the inputs.
class HistogramPlot : public Plot {
    Q_OBJECT

public:
    enum class Scope { Whole, InSight, Group };  ///< which weights are counted
    enum Side { Weights, Inputs };

    explicit HistogramPlot(QWidget* parent = nullptr);

    /// Nothing: the side is left out.
    void show(Side side, const std::optional<ValueDistribution>& distribution);
    [[nodiscard]] const ValueDistribution& distribution(Side side) const;
    [[nodiscard]] Scope scope() const;
    void setScope(Scope scope);

    [[nodiscard]] PlotTable table() const override;
    [[nodiscard]] PlotTable wholeTable() const override;  ///< both sides
    [[nodiscard]] int spotAt(const QPointF& pixel) const override;
    [[nodiscard]] QRectF boxOf(int spot) const override;
    [[nodiscard]] QString readoutOf(int spot) const override;
    [[nodiscard]] QString moduleOf(int) const override { return {}; }

Q_SIGNALS:
    void scopeChanged();

protected:
    void rebuild() override;
    void restyle(const PlotTheme& theme) override;
    [[nodiscard]] std::vector<QRectF> selectionBoxes() const override { return {}; }
    [[nodiscard]] int spotBeside(int spot, int columns, int rows) const override;
    [[nodiscard]] QString note() const override;

private:
    struct Panel {
        QCPAxisRect* rect = nullptr;
        QCPAxis *x = nullptr, *y = nullptr;
        HistogramBars* bars = nullptr;
        bool shown = false;
    };
    struct Place {
        size_t panel;
        int bin;
    };

    void makePanel(Panel& panel);
    void arrange();
    void rebuildPanel(Panel& panel);
    [[nodiscard]] std::optional<Place> placeOf(int spot) const;
    [[nodiscard]] int countBins(size_t panel) const;

    std::array<Panel, 2> m_panels;
    QComboBox *m_scope, *m_counts;
};

}  // namespace calibench
