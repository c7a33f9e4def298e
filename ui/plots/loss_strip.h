#pragma once

#include "ui/plots/drawing.h"
#include "ui/plots/plot_theme.h"
#include "ui/run_record.h"

namespace calibench {

/// All blocks in a row: the loss at the start as a ring and the best as a dot, joined like a dumbbell; a triangle where tuning
/// did not help. Reads the record whenever it is drawn.
class LossStrip : public Drawing {
public:
    LossStrip(const RunRecord& record, QCPAxis* blocks, QCPAxis* losses) : Drawing(blocks, losses), m_record(record) {}

    /// Losses of a block at the start and at best, once both are known and are numbers.
    struct Pair {
        double first = 0, best = 0;
        [[nodiscard]] bool improved() const { return best < first; }
    };
    [[nodiscard]] static std::optional<Pair> pairOf(const BlockRecord& block);

    void setTheme(const PlotTheme& theme) { m_theme = theme; }

protected:
    void draw(QCPPainter* painter) override;

private:
    const RunRecord& m_record;
    PlotTheme m_theme;
};

}  // namespace calibench
