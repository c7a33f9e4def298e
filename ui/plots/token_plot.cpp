#include "ui/plots/token_plot.h"

#include <QSpinBox>

#include <algorithm>
#include <cmath>

#include "ui/format.h"
#include "ui/plots/colour_bar.h"
#include "ui/plots/plot_view.h"
#include "ui/plots/scales.h"
#include "ui/plots/token_cells.h"

namespace calibench {

TokenPlot::TokenPlot(const RunRecord& record, QWidget* parent) : Plot(parent), m_record(record), m_threshold(new QSpinBox) {
    setAccessibleName(tr("Tokens"));
    canvas()->setAccessibleName(tr("Tokens seen by each module or expert"));
    makePanel();
    makeScale();
    m_threshold->setRange(0, 100);
    m_threshold->setValue(10);
    m_threshold->setSuffix(tr(" % of the mean"));
    m_threshold->setToolTip(tr("An expert that sees fewer tokens than this part of its block's mean is outlined: its ranges rest on little."));
    connect(m_threshold, &QSpinBox::valueChanged, this, [this](int percent) {
        refresh();
        Q_EMIT thresholdChanged(percent);
    });
    m_thresholdRow = addOption(tr("Outline below"), m_threshold);
    applyTheme();
}

void TokenPlot::makePanel() {
    QCustomPlot* plot = canvas();
    m_rect = new QCPAxisRect(plot);
    m_rect->setupFullAxesBox(false);
    plot->plotLayout()->addElement(0, 0, m_rect);
    m_x = m_rect->axis(QCPAxis::atBottom);
    m_y = m_rect->axis(QCPAxis::atLeft);
    // The totals stand in the margins, as labels of the axes opposite.
    for (QCPAxis* axis : {m_rect->axis(QCPAxis::atTop), m_rect->axis(QCPAxis::atRight)}) {
        axis->setTickLabels(true);
        axis->setTickLength(0, 0);
    }
    connect(m_y, qOverload<const QCPRange&>(&QCPAxis::rangeChanged), m_rect->axis(QCPAxis::atRight), qOverload<const QCPRange&>(&QCPAxis::setRange));
    connect(m_x, qOverload<const QCPRange&>(&QCPAxis::rangeChanged), m_rect->axis(QCPAxis::atTop), qOverload<const QCPRange&>(&QCPAxis::setRange));
    view().addPanel(m_rect);
    m_map = new QCPColorMap(m_x, m_y);
    m_map->setInterpolate(false);
    m_map->setTightBoundary(false);
    m_cells = new TokenCells(m_x, m_y);
    m_line = plot->addGraph(m_x, m_y);
    m_line->setLineStyle(QCPGraph::lsStepCenter);
    m_dots = plot->addGraph(m_x, m_y);
    m_dots->setLineStyle(QCPGraph::lsNone);
}

void TokenPlot::makeScale() {
    m_scale = makeColourBar({m_rect});
    canvas()->plotLayout()->addElement(0, 1, m_scale);
    m_scale->axis()->setLabel(tr("Tokens"));
    m_map->setColorScale(m_scale);
}

void TokenPlot::restyle(const PlotTheme& theme) {
    m_cells->setOutline(QColor(0xff5a36));  // over viridis, which is the same in both themes
    m_line->setPen(QPen(theme.accent, 2));
    theme.apply(m_scale);
    for (QCPAxis* margin : {m_rect->axis(QCPAxis::atTop), m_rect->axis(QCPAxis::atRight)}) {
        margin->setTickPen(Qt::NoPen);
        margin->setTickLabelColor(theme.muted);
        margin->setLabelColor(theme.muted);
    }
}

void TokenPlot::applySnapshot(const RunSnapshot& snapshot) {
    if (snapshot.started) m_labels.clear();
    if (!snapshot.tokens.empty() || snapshot.started) refresh();
}

void TokenPlot::setThreshold(int percent) { m_threshold->setValue(percent); }

int TokenPlot::threshold() const { return m_threshold->value(); }

void TokenPlot::rebuild() {
    const bool map = isMap();
    m_map->setVisible(map);
    m_cells->setVisible(map);
    m_line->setVisible(!map);
    m_dots->setVisible(!map);
    showScale(map);
    m_thresholdRow->setVisible(map);
    for (QCPAxis* axis : {m_x, m_y}) axis->grid()->setVisible(!map);
    for (const auto side : {QCPAxis::atTop, QCPAxis::atRight}) m_rect->axis(side)->setVisible(map);
    m_y->setRangeReversed(map);  // block 0 on top, as in the tree
    m_rect->axis(QCPAxis::atRight)->setRangeReversed(map);
    view().setWheel(m_rect, map ? Qt::Horizontal | Qt::Vertical : Qt::Orientations(Qt::Horizontal));
    if (map)
        rebuildMap();
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

void TokenPlot::rebuildMap() {
    m_grid = TokenGrid::of(m_record);
    QCPColorMapData* data = m_map->data();
    data->setSize(m_grid.experts, std::max(1, m_grid.blocks));
    data->setRange(QCPRange(0, std::max(1, m_grid.experts - 1)), QCPRange(0, std::max(1, m_grid.blocks - 1)));
    const double most = std::max(1.0, static_cast<double>(m_grid.largest()));
    std::vector<TokenCells::Cell> cells;
    for (int block = 0; block < m_grid.blocks; ++block)
        for (int expert = 0; expert < m_grid.experts; ++expert) {
            const int64_t count = m_grid.at(block, expert);
            data->setCell(expert, block, static_cast<double>(std::max<int64_t>(0, count)));
            data->setAlpha(expert, block, count == TokenGrid::Unknown ? 0 : 255);
            if (count == TokenGrid::Unknown) continue;
            cells.push_back({.column = expert, .row = block, .percent = 100 * m_grid.shareOfBlock(block, expert),
                             .light = static_cast<double>(count) > 0.55 * most, .starved = m_grid.starved(block, expert, threshold())});
        }
    const auto starved = std::count_if(cells.begin(), cells.end(), [](const TokenCells::Cell& cell) { return cell.starved; });
    m_cells->setCells(std::move(cells));
    m_scale->setDataRange(QCPRange(0, most));
    m_x->setLabel(starved > 0 ? tr("Expert (cells: share of the block's tokens; %n outlined)", nullptr, static_cast<int>(starved))
                              : tr("Expert (cells: share of the block's tokens)"));
    m_y->setLabel(tr("Block"));
    m_x->setTicker(QSharedPointer<IndexTicker>::create());
    m_y->setTicker(QSharedPointer<IndexTicker>::create());
    labelMargins();
    view().setWhole(m_x, QCPRange(-0.5, m_grid.experts - 0.5), true);
    view().setWhole(m_y, QCPRange(-0.5, std::max(1, m_grid.blocks) - 0.5), true);
}

void TokenPlot::labelMargins() {
    const auto label = [](QCPAxis* axis, const std::vector<int64_t>& totals, const QString& name) {
        QStringList labels;
        for (const int64_t total : totals) labels << formatCount(total);
        axis->setTicker(QSharedPointer<IndexTicker>::create(labels));
        axis->setLabel(name);
    };
    label(m_rect->axis(QCPAxis::atTop), m_grid.expertTotals, tr("Tokens of the expert in all blocks"));
    label(m_rect->axis(QCPAxis::atRight), m_grid.blockTotals, tr("Tokens of the block"));
    m_rect->axis(QCPAxis::atTop)->setRange(m_x->range());
    m_rect->axis(QCPAxis::atRight)->setRange(m_y->range());
}

void TokenPlot::rebuildLine() {
    const auto& modules = m_record.modules();
    if (m_labels.size() != static_cast<qsizetype>(modules.size())) {
        m_labels.clear();
        for (const ModuleRecord& module : modules)
            m_labels << (module.block >= 0 ? tr("%1 %2").arg(module.block).arg(QString::fromStdString(module.projection))
                                           : QString::fromStdString(module.projection));
    }
    QVector<double> keys, values, knownKeys, knownValues;
    double most = 0;
    for (const ModuleRecord& module : modules) {
        keys << static_cast<double>(keys.size());
        values << (module.tokens ? static_cast<double>(*module.tokens) : std::nan(""));
        if (module.tokens) {
            knownKeys << keys.last();
            knownValues << values.last();
        }
        most = std::max(most, module.tokens ? static_cast<double>(*module.tokens) : 0.0);
    }
    m_line->setData(keys, values, true);
    m_dots->setData(knownKeys, knownValues, true);
    const bool room = modules.size() < 300;  // more dots than this are a thick line
    m_dots->setScatterStyle(room ? QCPScatterStyle(QCPScatterStyle::ssDisc, theme().accent, 5) : QCPScatterStyle());
    m_x->setLabel(tr("Module, in model order (block and projection)"));
    m_y->setLabel(tr("Tokens seen"));
    m_x->setTicker(QSharedPointer<IndexTicker>::create(m_labels));
    m_y->setTicker(QSharedPointer<NumberTicker>::create());
    view().setWhole(m_x, QCPRange(-0.5, std::max<double>(1, static_cast<double>(modules.size())) - 0.5), true);
    view().setWhole(m_y, QCPRange(0, std::max(1.0, most * 1.1)), false);
}

int TokenPlot::spotAt(const QPointF& pixel) const {
    if (!m_rect->rect().contains(pixel.toPoint())) return -1;
    const auto column = static_cast<int>(std::lround(m_x->pixelToCoord(pixel.x())));
    if (!isMap()) return column >= 0 && column < static_cast<int>(m_record.modules().size()) ? column : -1;
    const auto row = static_cast<int>(std::lround(m_y->pixelToCoord(pixel.y())));
    const bool inside = column >= 0 && column < m_grid.experts && row >= 0 && row < m_grid.blocks;
    return inside && m_grid.at(row, column) != TokenGrid::Unknown ? row * m_grid.experts + column : -1;
}

QRectF TokenPlot::cellBox(double column, double row, double columns, double rows) const {
    const QRectF box(QPointF(m_x->coordToPixel(column - 0.5), m_y->coordToPixel(row - 0.5)),
                     QPointF(m_x->coordToPixel(column + columns - 0.5), m_y->coordToPixel(row + rows - 0.5)));
    return box.normalized() & QRectF(m_rect->rect());
}

QRectF TokenPlot::boxOf(int spot) const {
    if (spot < 0) return {};
    if (isMap()) return spot < static_cast<int>(m_grid.tokens.size()) ? cellBox(spot % m_grid.experts, spot / m_grid.experts, 1, 1) : QRectF();
    if (spot >= static_cast<int>(m_record.modules().size()) || !m_x->range().contains(spot)) return {};
    const ModuleRecord& module = m_record.modules()[static_cast<size_t>(spot)];
    return module.tokens ? QRectF(m_x->coordToPixel(spot) - 6, m_y->coordToPixel(static_cast<double>(*module.tokens)) - 6, 12, 12) : QRectF();
}

QString TokenPlot::readoutOf(int spot) const {
    if (moduleOf(spot).isEmpty()) return {};
    if (!isMap()) {
        const ModuleRecord& module = m_record.modules()[static_cast<size_t>(spot)];
        return module.tokens ? tr("%1\n%2 tokens").arg(moduleOf(spot), formatCount(*module.tokens)) : tr("%1\nNo tokens counted yet").arg(moduleOf(spot));
    }
    const int block = spot / m_grid.experts, expert = spot % m_grid.experts;
    if (m_grid.at(block, expert) == TokenGrid::Unknown) return tr("Block %1, expert %2\nNo tokens counted yet").arg(block).arg(expert);
    return tr("Block %1, expert %2\n%3 tokens, %4 % of the block's, %5 times the mean")
        .arg(block)
        .arg(expert)
        .arg(formatCount(m_grid.at(block, expert)))
        .arg(100 * m_grid.shareOfBlock(block, expert), 0, 'f', 2)
        .arg(m_grid.timesMean(block, expert), 0, 'f', 2);
}

QString TokenPlot::moduleOf(int spot) const {
    const auto& modules = m_record.modules();
    int module = spot;
    if (isMap()) module = spot >= 0 && spot < static_cast<int>(m_grid.modules.size()) ? m_grid.modules[static_cast<size_t>(spot)] : -1;
    return module >= 0 && module < static_cast<int>(modules.size()) ? QString::fromStdString(modules[static_cast<size_t>(module)].name) : QString();
}

int TokenPlot::spotBeside(int spot, int columns, int rows) const {
    const int width = isMap() ? m_grid.experts : static_cast<int>(m_record.modules().size());
    const int height = isMap() ? m_grid.blocks : 1;
    if (width == 0 || height == 0) return -1;
    if (spot < 0) return 0;
    return std::clamp(spot / width + rows, 0, height - 1) * width + std::clamp(spot % width + columns, 0, width - 1);
}

std::vector<QRectF> TokenPlot::selectionBoxes() const {
    const std::string selected = selectedModule().toStdString();
    const ModuleRecord* module = m_record.find(selected);
    const int block = m_record.blockOf(selected);
    QRectF box;
    if (isMap()) {
        if (module && module->expert >= 0)
            box = cellBox(module->expert, module->block, 1, 1);
        else if (block >= 0)
            box = cellBox(0, block, m_grid.experts, 1);
    } else if (module) {
        box = boxOf(static_cast<int>(module - m_record.modules().data()));
    } else if (block >= 0) {
        const auto& modules = m_record.modules();
        const auto within = [block](const ModuleRecord& other) { return other.block == block; };
        const auto first = std::find_if(modules.begin(), modules.end(), within);
        box = cellBox(static_cast<double>(first - modules.begin()), 0, static_cast<double>(std::count_if(modules.begin(), modules.end(), within)), 1);
        box.setTop(m_rect->top());
        box.setBottom(m_rect->bottom());
    }
    return box.isEmpty() ? std::vector<QRectF>() : std::vector<QRectF>{box};
}

QString TokenPlot::note() const {
    const auto& modules = m_record.modules();
    const bool none = std::none_of(modules.begin(), modules.end(), [](const ModuleRecord& module) { return module.tokens.has_value(); });
    return m_record.started() && none ? tr("Token counts will show here as soon as the first block is observed.") : QString();
}

PlotTable TokenPlot::table() const { return tableOf(m_x->range(), m_y->range()); }

PlotTable TokenPlot::wholeTable() const {
    const QCPRange all(-0.5, static_cast<double>(std::max<size_t>(m_record.modules().size(), m_grid.tokens.size())));
    return tableOf(all, all);
}

PlotTable TokenPlot::tableOf(const QCPRange& columns, const QCPRange& rows) const {
    PlotTable table;
    if (isMap()) {
        table.header = {tr("Block"), tr("Expert"), tr("Tokens"), tr("Share of the block"), tr("Times the mean")};
        for (int block = 0; block < m_grid.blocks; ++block)
            for (int expert = 0; expert < m_grid.experts; ++expert)
                if (rows.contains(block) && columns.contains(expert) && m_grid.at(block, expert) != TokenGrid::Unknown)
                    table.rows << QStringList{QString::number(block), QString::number(expert), PlotTable::cell(m_grid.at(block, expert)),
                                              PlotTable::cell(m_grid.shareOfBlock(block, expert)), PlotTable::cell(m_grid.timesMean(block, expert))};
        return table;
    }
    table.header = {tr("Module"), tr("Block"), tr("Projection"), tr("Tokens")};
    for (size_t i = 0; i < m_record.modules().size(); ++i) {
        const ModuleRecord& module = m_record.modules()[i];
        if (columns.contains(static_cast<double>(i)) && module.tokens)
            table.rows << QStringList{QString::fromStdString(module.name), QString::number(module.block), QString::fromStdString(module.projection),
                                      PlotTable::cell(*module.tokens)};
    }
    return table;
}

}  // namespace calibench
