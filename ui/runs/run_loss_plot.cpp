#include "ui/runs/run_loss_plot.h"

#include <algorithm>
#include <cmath>

#include "ui/format.h"
#include "ui/plots/plot_view.h"
#include "ui/plots/scales.h"

namespace calibench {

namespace {

constexpr int MaxTitle = 180;  // pixels, so that three of them stand side by side in a small window

/// Beside colours, the shapes that tell runs apart.
QCPScatterStyle::ScatterShape shapeOf(size_t run) {
    static constexpr QCPScatterStyle::ScatterShape shapes[] = {QCPScatterStyle::ssDisc, QCPScatterStyle::ssSquare, QCPScatterStyle::ssTriangle,
                                                               QCPScatterStyle::ssDiamond, QCPScatterStyle::ssCross, QCPScatterStyle::ssPlus};
    return shapes[run % std::size(shapes)];
}

}  // namespace

RunLossPlot::RunLossPlot(QWidget* parent) : Plot(parent), m_legend(new QCPLegend) {
    setAccessibleName(tr("Losses of the runs"));
    canvas()->setAccessibleName(tr("Losses of the runs, one block and one iteration after another"));
    canvas()->plotLayout()->addElement(0, 0, m_legend);
    m_legend->setLayer(QStringLiteral("legend"));
    m_legend->setFillOrder(QCPLegend::foColumnsFirst);
    m_legend->setWrap(4);
    m_legend->setMargins(QMargins(8, 2, 4, 2));
    canvas()->plotLayout()->setRowStretchFactor(0, 0.001);
    canvas()->plotLayout()->setRowSpacing(0);
    auto* panels = new QCPLayoutGrid;  // side by side: below the list of runs there is more width than height
    canvas()->plotLayout()->addElement(1, 0, panels);
    m_blocks = makePanel(*panels, 0, tr("Block"), tr("First, best loss"));
    m_iterations = makePanel(*panels, 1, tr("Iteration"), tr("Loss"));
    auto* margins = new QCPMarginGroup(canvas());
    for (const Panel& panel : {m_blocks, m_iterations}) panel.rect->setMarginGroup(QCP::msTop | QCP::msBottom, margins);
    applyTheme();
}

RunLossPlot::Panel RunLossPlot::makePanel(QCPLayoutGrid& panels, int column, const QString& bottom, const QString& left) {
    Panel panel{.rect = new QCPAxisRect(canvas())};
    panels.addElement(0, column, panel.rect);
    panel.x = panel.rect->axis(QCPAxis::atBottom);
    panel.y = panel.rect->axis(QCPAxis::atLeft);
    panel.x->setTicker(QSharedPointer<IndexTicker>::create());
    panel.x->setLabel(bottom);
    panel.y->setScaleType(QCPAxis::stLogarithmic);
    panel.y->setTicker(QSharedPointer<LogTicker>::create());
    panel.y->setLabel(left);
    panel.rect->setRangeDrag(Qt::Horizontal);
    panel.rect->setMinimumMargins(QMargins(12, 6, 15, 4));
    view().addPanel(panel.rect);
    return panel;
}

void RunLossPlot::setRuns(const std::vector<ComparedRun>& runs) {
    m_runs = runs;
    m_places.clear();
    m_blockOf.clear();
    for (const ComparedRun& run : m_runs) {
        if (!run.facts) continue;
        for (const auto& [index, block] : run.facts->blocks) m_blockOf.insert(QString::fromStdString(block.name), index);
        for (const auto& [name, module] : run.facts->modules) m_blockOf.insert(QString::fromStdString(name), module.block);
    }
    makeCurves();
    startOver();
    refresh();
}

void RunLossPlot::makeCurves() {
    m_legend->clearItems();
    canvas()->clearGraphs();
    m_curves.clear();
    for (size_t run = 0; run < m_runs.size(); ++run) {
        const Curves curves{canvas()->addGraph(m_blocks.x, m_blocks.y), canvas()->addGraph(m_blocks.x, m_blocks.y), canvas()->addGraph(m_iterations.x, m_iterations.y)};
        for (QCPGraph* graph : {curves.start, curves.best, curves.iterations}) graph->setSelectable(QCP::stNone);
        curves.best->setName(fontMetrics().elidedText(nameOf(run), Qt::ElideMiddle, MaxTitle));
        curves.best->addToLegend(m_legend);
        m_curves.push_back(curves);
    }
    styleCurves();
}

void RunLossPlot::restyle(const PlotTheme&) { styleCurves(); }

void RunLossPlot::styleCurves() {
    for (size_t run = 0; run < m_curves.size(); ++run) {
        const QColor colour = theme().categorical(static_cast<int>(run));
        const Curves& curves = m_curves[run];
        curves.start->setPen(QPen(theme().mixed(colour, 0.6), 1, Qt::DashLine));
        curves.best->setPen(QPen(colour, 1.5));
        curves.best->setScatterStyle(QCPScatterStyle(shapeOf(run), colour, colour, 6));
        curves.iterations->setPen(QPen(colour, 1.5));
    }
    theme().apply(m_legend);
}

QString RunLossPlot::nameOf(size_t run) const { return m_runs.size() > 1 ? tr("%1: %2").arg(letterOf(run), m_runs[run].known.title()) : m_runs[run].known.title(); }

const BlockFacts* RunLossPlot::block(size_t run, int64_t index) const {
    if (!m_runs[run].facts) return nullptr;
    const auto found = m_runs[run].facts->blocks.find(index);
    return found == m_runs[run].facts->blocks.end() ? nullptr : &found->second;
}

int64_t RunLossPlot::selectedBlock() const { return m_blockOf.value(selectedModule(), -1); }

int RunLossPlot::shownBlock() const {
    if (const int64_t selected = selectedBlock(); selected >= 0) return static_cast<int>(selected);
    int64_t last = -1;
    for (const ComparedRun& run : m_runs)
        if (run.facts)
            for (const auto& [index, block] : run.facts->blocks)
                if (!block.loss_mse.empty()) last = std::max(last, index);
    return static_cast<int>(last);
}

void RunLossPlot::rebuild() {
    m_places.clear();
    std::vector<double> losses;
    int64_t lastBlock = 0;
    for (size_t run = 0; run < m_runs.size(); ++run) {
        QVector<double> blocks, first, best;
        if (const auto& facts = m_runs[run].facts)
            for (const auto& [index, block] : facts->blocks) {
                lastBlock = std::max(lastBlock, index);
                if (!block.finished || block.initial_loss_mse <= 0) continue;
                blocks << static_cast<double>(index);
                first << block.initial_loss_mse;
                best << block.best_loss_mse;
                losses.insert(losses.end(), {block.initial_loss_mse, block.best_loss_mse});
                m_places.push_back({.run = run, .block = index, .loss = block.best_loss_mse});
            }
        m_curves[run].start->setData(blocks, first, true);
        m_curves[run].best->setData(blocks, best, true);
    }
    fit(m_blocks, static_cast<double>(lastBlock) + 0.5, losses, -0.5);

    losses.clear();
    double lastIteration = 1;
    const int shown = shownBlock();
    for (size_t run = 0; run < m_runs.size(); ++run) {
        QVector<double> iterations, values;
        if (const BlockFacts* known = block(run, shown))
            for (size_t i = 0; i < known->loss_mse.size(); ++i) {
                iterations << static_cast<double>(i);
                values << known->loss_mse[i];
                losses.push_back(known->loss_mse[i]);
                m_places.push_back({.run = run, .block = shown, .iteration = static_cast<int64_t>(i), .loss = known->loss_mse[i]});
                lastIteration = std::max(lastIteration, static_cast<double>(i));
            }
        m_curves[run].iterations->setData(iterations, values, true);
    }
    m_iterations.y->setLabel(shown < 0 ? tr("Loss") : tr("Loss of block %1").arg(shown));
    fit(m_iterations, lastIteration, losses, 0);
}

void RunLossPlot::fit(const Panel& panel, double last, const std::vector<double>& losses, double first) {
    view().setWhole(panel.x, QCPRange(first, last), true);
    double low = std::numeric_limits<double>::infinity(), high = 0;
    for (const double loss : losses) {
        if (!(loss > 0) || !std::isfinite(loss)) continue;
        low = std::min(low, loss);
        high = std::max(high, loss);
    }
    if (high <= 0) return;
    const double air = std::max(std::pow(high / low, 0.08), 1.02);
    view().setWhole(panel.y, QCPRange(low / air, high * air), false);
}

const RunLossPlot::Place* RunLossPlot::placeOf(int spot) const {
    return spot >= 0 && static_cast<size_t>(spot) < m_places.size() ? &m_places[static_cast<size_t>(spot)] : nullptr;
}

int RunLossPlot::spotAt(const QPointF& pixel) const {
    int nearest = -1;
    double distance = 20 * 20;  // pixels, squared: further off, nothing is meant
    for (size_t spot = 0; spot < m_places.size(); ++spot) {
        const QRectF box = boxOf(static_cast<int>(spot));
        const QPointF away = box.center() - pixel;
        const double squared = QPointF::dotProduct(away, away);
        if (box.isEmpty() || squared >= distance) continue;
        distance = squared;
        nearest = static_cast<int>(spot);
    }
    return nearest;
}

QRectF RunLossPlot::boxOf(int spot) const {
    const Place* found = placeOf(spot);
    if (!found) return {};
    const Place& place = *found;
    const Panel& panel = place.iteration < 0 ? m_blocks : m_iterations;
    const auto key = static_cast<double>(place.iteration < 0 ? place.block : place.iteration);
    if (!panel.x->range().contains(key) || !(place.loss > 0)) return {};
    const QPointF at(panel.x->coordToPixel(key), std::clamp(panel.y->coordToPixel(place.loss), panel.rect->top() + 0.0, panel.rect->bottom() + 0.0));
    return QRectF(at - QPointF(5, 5), QSizeF(10, 10));
}

QString RunLossPlot::readoutOf(int spot) const {
    const Place* found = placeOf(spot);
    if (!found) return {};
    const Place& place = *found;
    if (place.iteration >= 0) return tr("%1\nBlock %2, iteration %3\nLoss %4").arg(nameOf(place.run)).arg(place.block).arg(place.iteration).arg(formatExact(place.loss));
    const BlockFacts& known = *block(place.run, place.block);
    return tr("%1\nBlock %2\nFirst iteration: %3\nBest: %4 at iteration %5")
        .arg(nameOf(place.run)).arg(place.block).arg(formatExact(known.initial_loss_mse), formatExact(known.best_loss_mse)).arg(known.best_iteration);
}

QString RunLossPlot::moduleOf(int spot) const {
    const Place* found = placeOf(spot);
    if (!found) return {};
    const Place& place = *found;
    const BlockFacts* known = block(place.run, place.block);
    return known ? QString::fromStdString(known->name) : QString();
}

int RunLossPlot::spotBeside(int spot, int columns, int rows) const {
    if (m_places.empty()) return -1;
    const Place* found = placeOf(spot);
    if (!found) return 0;
    const Place& here = *found;
    if (columns != 0) {
        const int beside = std::clamp(spot + columns, 0, static_cast<int>(m_places.size()) - 1);
        const Place& there = m_places[static_cast<size_t>(beside)];
        return there.run == here.run && (there.iteration < 0) == (here.iteration < 0) ? beside : spot;
    }
    // To the next run at the same block or iteration; behind the last one, to the other panel.
    for (int other = spot + rows; other >= 0 && static_cast<size_t>(other) < m_places.size(); other += rows) {
        const Place& there = m_places[static_cast<size_t>(other)];
        const bool samePanel = (there.iteration < 0) == (here.iteration < 0);
        if (!samePanel || (there.run != here.run && there.block == here.block && there.iteration == here.iteration)) return other;
    }
    return spot;
}

std::vector<QRectF> RunLossPlot::selectionBoxes() const {
    const int64_t selected = selectedBlock();
    if (selected < 0 || m_curves.empty()) return {};
    const double left = m_blocks.x->coordToPixel(static_cast<double>(selected) - 0.5), right = m_blocks.x->coordToPixel(static_cast<double>(selected) + 0.5);
    const QRectF box = QRectF(left, m_blocks.rect->top(), right - left, m_blocks.rect->height()) & QRectF(m_blocks.rect->rect());
    return box.isEmpty() ? std::vector<QRectF>() : std::vector<QRectF>{box};
}

QString RunLossPlot::note() const {
    if (m_runs.empty() || !m_places.empty()) return {};
    return tr("Nothing was tuned, so there is no loss to show.");
}

PlotTable RunLossPlot::wholeTable() const {
    PlotTable table{.header = {tr("Run"), tr("Block"), tr("Iteration"), tr("Loss (mean squared error)")}, .rows = {}};
    for (size_t run = 0; run < m_runs.size(); ++run) {
        if (!m_runs[run].facts) continue;
        for (const auto& [index, block] : m_runs[run].facts->blocks)
            for (size_t i = 0; i < block.loss_mse.size(); ++i)
                table.rows << QStringList{nameOf(run), PlotTable::cell(index), QString::number(i), PlotTable::cell(block.loss_mse[i])};
    }
    return table;
}

PlotTable RunLossPlot::table() const {
    const Place* pointed = placeOf(pointedSpot());
    const bool ofBlocks = pointed && pointed->iteration < 0;
    PlotTable table;
    table.header = ofBlocks ? QStringList{tr("Run"), tr("Block"), tr("First loss"), tr("Best loss")} : QStringList{tr("Run"), tr("Block"), tr("Iteration"), tr("Loss")};
    for (const Place& place : m_places) {
        if ((place.iteration < 0) != ofBlocks) continue;
        if (ofBlocks)
            table.rows << QStringList{nameOf(place.run), PlotTable::cell(place.block), PlotTable::cell(block(place.run, place.block)->initial_loss_mse), PlotTable::cell(place.loss)};
        else
            table.rows << QStringList{nameOf(place.run), PlotTable::cell(place.block), PlotTable::cell(place.iteration), PlotTable::cell(place.loss)};
    }
    return table;
}

}  // namespace calibench
