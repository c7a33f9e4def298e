#pragma once

#include <vector>

#include "ui/plots/drawing.h"

namespace calibench {

/// What lies over the heat map's colours: shares as text where a cell has room for them, an outline around cells that starve.
class TokenCells : public Drawing {
public:
    struct Cell {
        int column = 0, row = 0;
        double percent = 0;    ///< of its row
        bool light = false;    ///< the colour under the text is light
        bool starved = false;
    };

    TokenCells(QCPAxis* keyAxis, QCPAxis* valueAxis) : Drawing(keyAxis, valueAxis) {}

    void setCells(std::vector<Cell> cells) { m_cells = std::move(cells); }
    [[nodiscard]] const std::vector<Cell>& cells() const { return m_cells; }
    void setOutline(const QColor& colour) { m_outline = colour; }

protected:
    void draw(QCPPainter* painter) override;

private:
    std::vector<Cell> m_cells;
    QColor m_outline;
};

}  // namespace calibench
