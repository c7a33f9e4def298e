#include "ui/plots/token_plot.h"

#include <algorithm>
#include <cmath>

#include "ui/format.h"
#include "ui/plots/scales.h"
#include "ui/plots/token_cells.h"

namespace calibench {

TokenPlot::TokenPlot(const RunRecord& record, QWidget* parent) : Plot(parent), m_record(record) {
    setAccessibleName(tr("Tokens seen by each module"));
    QCustomPlot* plot = canvas();
    plot->plotLayout()->clear();
    m_rect = new QCPAxisRect(plot);
    m_rect->setupFullAxesBox(false);
    plot->plotLayout()->addElement(0, 0, m_rect);
    for (QCPAxis* axis : m_rect->axes()) {
        axis->setLayer(QStringLiteral("axes"));
        axis->grid()->setLayer(QStringLiteral("grid"));
    }
    for (const auto side : {QCPAxis::atTop, QCPAxis::atRight}) m_rect->axis(side)->setVisible(false);
    QCPAxis* x = m_rect->axis(QCPAxis::atBottom);
    QCPAxis* y = m_rect->axis(QCPAxis::atLeft);
    m_map = new QCPColorMap(x, y);
    m_map->setInterpolate(false);
    m_map->setTightBoundary(false);
    m_cells = new TokenCells(x, y);
    m_cells->setLayer(QStringLiteral("overlay"));
    m_line = plot->addGraph(x, y);
    m_line->setLineStyle(QCPGraph::lsStepCenter);

    m_scale = new QCPColorScale(plot);
    plot->plotLayout()->addElement(0, 1, m_scale);
    m_scale->setType(QCPAxis::atRight);
    m_scale->setBarWidth(12);
    m_scale->axis()->setLabel(tr("Tokens"));
    m_scale->axis()->setTicker(QSharedPointer<NumberTicker>::create());
    m_scale->setGradient(viridis());
    m_scale->setRangeDrag(false);
    m_scale->setRangeZoom(false);
    m_map->setColorScale(m_scale);
    auto* margins = new QCPMarginGroup(plot);
    m_rect->setMarginGroup(QCP::msTop | QCP::msBottom, margins);
    m_scale->setMarginGroup(QCP::msTop | QCP::msBottom, margins);
    applyTheme();
}

void TokenPlot::restyle(const PlotTheme& theme) {
    m_cells->setOutline(QColor(0xff5a36));  // over viridis, which is the same in both themes
    m_line->setPen(QPen(theme.accent, 2));
    QCPAxis* axis = m_scale->axis();
    axis->setTickLabelColor(theme.text);
    axis->setLabelColor(theme.text);
    axis->setBasePen(QPen(theme.grid));
    axis->setTickPen(QPen(theme.muted));
    axis->setSubTickPen(Qt::NoPen);
    axis->setTickLabelFont(m_rect->axis(QCPAxis::atLeft)->tickLabelFont());
    axis->setLabelFont(m_rect->axis(QCPAxis::atLeft)->labelFont());
}

void TokenPlot::applySnapshot(const RunSnapshot& snapshot) {
    if (!snapshot.tokens.empty() || snapshot.started) refresh();
}

int64_t TokenPlot::Grid::total(int block) const {
    int64_t sum = 0;
    for (int expert = 0; expert < experts; ++expert) sum += std::max<int64_t>(0, at(block, expert));
    return sum;
}

bool TokenPlot::Grid::starved(int block, int expert) const {
    const double mean = static_cast<double>(total(block)) / experts;
    return mean > 0 && static_cast<double>(std::max<int64_t>(0, at(block, expert))) < ThresholdShare * mean;
}

TokenPlot::Grid TokenPlot::gridOf(const RunRecord& record) {
    Grid grid;
    grid.blocks = static_cast<int>(record.blocks().size());
    grid.experts = record.numExperts();
    grid.tokens.assign(static_cast<size_t>(grid.blocks) * static_cast<size_t>(grid.experts), -1);
    for (const ModuleRecord& module : record.modules()) {
        if (module.expert < 0 || module.block < 0 || module.block >= grid.blocks || !module.tokens) continue;
        int64_t& cell = grid.tokens[static_cast<size_t>(module.block * grid.experts + module.expert)];
        cell = std::max(cell, *module.tokens);
    }
    return grid;
}

void TokenPlot::rebuild() {
    const bool moe = m_record.numExperts() > 0;
    m_map->setVisible(moe);
    m_cells->setVisible(moe);
    showScale(moe);
    m_line->setVisible(!moe);
    for (QCPAxis* axis : {m_rect->axis(QCPAxis::atBottom), m_rect->axis(QCPAxis::atLeft)}) axis->grid()->setVisible(!moe);
    m_rect->axis(QCPAxis::atLeft)->setRangeReversed(moe);  // block 0 on top, as in the tree
    if (moe)
        rebuildExperts();
    else
        rebuildLine();
}

void TokenPlot::showScale(bool show) {
    QCPLayoutGrid* layout = canvas()->plotLayout();
    if (show == layout->hasElement(0, 1)) return;
    m_scale->setVisible(show);
    if (show) {
        layout->addElement(0, 1, m_scale);
    } else {
        layout->take(m_scale);  // stays the canvas's child
        layout->simplify();
    }
}

void TokenPlot::rebuildExperts() {
    m_grid = gridOf(m_record);
    QCPColorMapData* data = m_map->data();
    data->setSize(m_grid.experts, std::max(1, m_grid.blocks));
    data->setRange(QCPRange(0, std::max(1, m_grid.experts - 1)), QCPRange(0, std::max(1, m_grid.blocks - 1)));
    int64_t most = 1;
    for (const int64_t count : m_grid.tokens) most = std::max(most, count);
    std::vector<TokenCells::Cell> cells;
    for (int block = 0; block < m_grid.blocks; ++block) {
        const double total = static_cast<double>(std::max<int64_t>(1, m_grid.total(block)));
        for (int expert = 0; expert < m_grid.experts; ++expert) {
            const int64_t count = m_grid.at(block, expert);
            data->setCell(expert, block, static_cast<double>(std::max<int64_t>(0, count)));
            data->setAlpha(expert, block, count < 0 ? 0 : 255);
            if (count < 0) continue;
            cells.push_back({.column = expert, .row = block,
                             .text = tr("%1 %").arg(100.0 * static_cast<double>(count) / total, 0, 'f', 1),
                             .light = static_cast<double>(count) > 0.55 * static_cast<double>(most),
                             .starved = m_grid.starved(block, expert)});
        }
    }
    m_cells->setCells(std::move(cells));
    m_scale->setDataRange(QCPRange(0, static_cast<double>(most)));
    QCPAxis* x = m_rect->axis(QCPAxis::atBottom);
    QCPAxis* y = m_rect->axis(QCPAxis::atLeft);
    x->setLabel(tr("Expert (share of its block's tokens; outlined: less than a tenth of the mean)"));
    y->setLabel(tr("Block"));
    x->setTicker(QSharedPointer<IndexTicker>::create());
    y->setTicker(QSharedPointer<IndexTicker>::create());
    if (following()) {
        x->setRange(-0.5, m_grid.experts - 0.5);
        y->setRange(-0.5, std::max(1, m_grid.blocks) - 0.5);
    }
}

void TokenPlot::rebuildLine() {
    QVector<double> keys, values;
    QStringList labels;
    double most = 0;
    for (const ModuleRecord& module : m_record.modules()) {
        const auto place = static_cast<double>(labels.size());
        labels << (module.block >= 0 ? tr("%1 %2").arg(module.block).arg(QString::fromStdString(module.projection))
                                     : QString::fromStdString(module.projection));
        keys << place;
        values << (module.tokens ? static_cast<double>(*module.tokens) : std::nan(""));
        most = std::max(most, module.tokens ? static_cast<double>(*module.tokens) : 0.0);
    }
    m_line->setData(keys, values, true);
    const bool room = labels.size() < 300;  // more dots than this are a thick line
    m_line->setScatterStyle(room ? QCPScatterStyle(QCPScatterStyle::ssDisc, theme().accent, 5) : QCPScatterStyle());
    QCPAxis* x = m_rect->axis(QCPAxis::atBottom);
    QCPAxis* y = m_rect->axis(QCPAxis::atLeft);
    x->setLabel(tr("Module, in model order (block and projection)"));
    y->setLabel(tr("Tokens seen"));
    x->setTicker(QSharedPointer<IndexTicker>::create(labels));
    x->setTickLabelRotation(0);
    y->setTicker(QSharedPointer<NumberTicker>::create());
    if (following()) {
        x->setRange(-0.5, std::max<double>(1, static_cast<double>(labels.size())) - 0.5);
        y->setRange(0, std::max(1.0, most * 1.1));
    }
}

const ModuleRecord* TokenPlot::denseModuleAt(const QPointF& pixel) const {
    const auto index = static_cast<int64_t>(std::lround(m_rect->axis(QCPAxis::atBottom)->pixelToCoord(pixel.x())));
    const auto& modules = m_record.modules();
    return index >= 0 && index < static_cast<int64_t>(modules.size()) ? &modules[static_cast<size_t>(index)] : nullptr;
}

QString TokenPlot::readoutAt(const QPointF& pixel) const {
    if (!m_rect->rect().contains(pixel.toPoint())) return {};
    if (m_record.numExperts() == 0) {
        const ModuleRecord* module = denseModuleAt(pixel);
        return module && module->tokens ? tr("%1\n%2 tokens").arg(QString::fromStdString(module->name), formatCount(*module->tokens)) : QString();
    }
    const auto expert = static_cast<int>(std::lround(m_rect->axis(QCPAxis::atBottom)->pixelToCoord(pixel.x())));
    const auto block = static_cast<int>(std::lround(m_rect->axis(QCPAxis::atLeft)->pixelToCoord(pixel.y())));
    if (expert < 0 || expert >= m_grid.experts || block < 0 || block >= m_grid.blocks || m_grid.at(block, expert) < 0) return {};
    const int64_t count = m_grid.at(block, expert);
    const double total = static_cast<double>(std::max<int64_t>(1, m_grid.total(block)));
    return tr("Block %1, expert %2\n%3 tokens, %4 % of the block's, %5 times the mean")
        .arg(block)
        .arg(expert)
        .arg(formatCount(count))
        .arg(100.0 * static_cast<double>(count) / total, 0, 'f', 2)
        .arg(static_cast<double>(count) * m_grid.experts / total, 0, 'f', 2);
}

QString TokenPlot::moduleAt(const QPointF& pixel) const {
    if (m_record.numExperts() == 0) {
        const ModuleRecord* module = denseModuleAt(pixel);
        return module ? QString::fromStdString(module->name) : QString();
    }
    const auto expert = static_cast<int>(std::lround(m_rect->axis(QCPAxis::atBottom)->pixelToCoord(pixel.x())));
    const auto block = static_cast<int>(std::lround(m_rect->axis(QCPAxis::atLeft)->pixelToCoord(pixel.y())));
    for (const ModuleRecord& module : m_record.modules())
        if (module.block == block && module.expert == expert) return QString::fromStdString(module.name);
    return {};
}

}  // namespace calibench
