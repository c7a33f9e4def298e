#include "ui/lens/histogram_plot.h"

#include <QComboBox>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "ui/format.h"
#include "ui/lens/histogram_bars.h"
#include "ui/plots/plot_view.h"
#include "ui/plots/scales.h"

namespace calibench {

HistogramPlot::HistogramPlot(QWidget* parent) : Plot(parent), m_scope(new QComboBox), m_counts(new QComboBox) {
    setAccessibleName(tr("Histograms of weights and inputs"));
    canvas()->setAccessibleName(tr("How often each value occurs, with the levels that quantization has for it"));
    for (Panel& panel : m_panels) makePanel(panel);
    m_scope->addItems({tr("whole weight"), tr("in sight"), tr("one group")});
    m_scope->setToolTip(tr("Which weights are counted. A click on the map chooses the group; its levels are the ticks."));
    connect(m_scope, &QComboBox::currentIndexChanged, this, &HistogramPlot::scopeChanged);
    addOption(tr("Values"), m_scope);
    m_counts->addItems({tr("logarithmic"), tr("linear")});
    m_counts->setToolTip(tr("How counts are drawn. A logarithmic scale shows the few values far out, which decide the range."));
    connect(m_counts, &QComboBox::currentIndexChanged, this, &HistogramPlot::refresh);
    addOption(tr("Counts"), m_counts);
    for (QComboBox* box : {m_scope, m_counts}) {
        box->setSizeAdjustPolicy(QComboBox::AdjustToMinimumContentsLengthWithIcon);
        box->setMinimumContentsLength(7);
    }
    arrange();
    applyTheme();
}

void HistogramPlot::makePanel(Panel& panel) {
    panel.rect = new QCPAxisRect(canvas());
    panel.x = panel.rect->axis(QCPAxis::atBottom);
    panel.y = panel.rect->axis(QCPAxis::atLeft);
    panel.x->setTicker(QSharedPointer<NumberTicker>::create());
    panel.rect->setRangeDrag(Qt::Horizontal);
    view().addPanel(panel.rect);
    panel.bars = new HistogramBars(panel.x, panel.y);
}

void HistogramPlot::arrange() {
    QCPLayoutGrid* layout = canvas()->plotLayout();
    for (Panel& panel : m_panels)
        if (panel.rect->layout()) layout->take(panel.rect);
    layout->simplify();
    int column = 0;
    for (Panel& panel : m_panels) {
        panel.rect->setVisible(panel.shown);
        if (panel.shown) layout->addElement(0, column++, panel.rect);
    }
}

void HistogramPlot::restyle(const PlotTheme& theme) {
    for (Panel& panel : m_panels) {
        theme.apply(panel.rect);  // the one that is left out too
        panel.bars->setColours(theme.mixed(theme.categorical(0), 0.62), theme.warning, theme.text, theme.background, {theme.text, theme.accent});
        panel.x->grid()->setVisible(false);  // the levels are ticks enough
    }
}

void HistogramPlot::show(Side side, const std::optional<ValueDistribution>& distribution) {
    Panel& panel = m_panels[side];
    const bool sameValues = distribution && panel.shown && distribution->histogram.low == panel.bars->distribution().histogram.low &&
                            distribution->histogram.high == panel.bars->distribution().histogram.high;
    panel.bars->setDistribution(distribution.value_or(ValueDistribution{}));
    if (std::exchange(panel.shown, distribution.has_value()) != panel.shown) arrange();
    if (!sameValues) startOver();
    refresh();
}

const ValueDistribution& HistogramPlot::distribution(Side side) const { return m_panels[side].bars->distribution(); }

HistogramPlot::Scope HistogramPlot::scope() const { return static_cast<Scope>(m_scope->currentIndex()); }

void HistogramPlot::setScope(Scope scope) { m_scope->setCurrentIndex(static_cast<int>(scope)); }

void HistogramPlot::rebuild() {
    for (Panel& panel : m_panels)
        if (panel.shown) rebuildPanel(panel);
}

void HistogramPlot::rebuildPanel(Panel& panel) {
    const ValueDistribution& shown = panel.bars->distribution();
    const auto& counts = shown.histogram.counts;
    const double most = counts.empty() ? 1 : std::max<double>(1, static_cast<double>(*std::max_element(counts.begin(), counts.end())));
    const bool log = m_counts->currentIndex() == 0;
    panel.y->setScaleType(log ? QCPAxis::stLogarithmic : QCPAxis::stLinear);
    if (log)
        panel.y->setTicker(QSharedPointer<LogTicker>::create());
    else
        panel.y->setTicker(QSharedPointer<NumberTicker>::create());
    panel.x->setLabel(shown.what);
    panel.y->setLabel(tr("Count"));
    // What the grid could hold and nothing takes is part of the picture: a range chosen too wide.
    QCPRange values(shown.histogram.low, shown.histogram.high);
    const double reach = std::max(std::abs(values.lower), std::abs(values.upper));
    for (const ValueGrid& grid : shown.grids) values.expand(QCPRange(std::max(grid.low, -3 * reach), std::min(grid.high, 3 * reach)));
    const double margin = std::max(values.size() * 0.03, 1e-300);
    view().setWhole(panel.x, QCPRange(values.lower - margin, values.upper + margin), false);
    // The names of the grids stand above the highest bar.
    const double height = std::max(40, canvas()->height() - 60);
    const double bars = 1 - std::min(0.5, (8.0 + QFontMetrics(panel.x->tickLabelFont()).height() * static_cast<double>(shown.grids.size())) / height);
    constexpr double Foot = 0.6;  // of the logarithmic scale: a count of one has some height too
    view().setWhole(panel.y, log ? QCPRange(Foot, Foot * std::pow(std::max(2.0, most) / Foot, 1 / bars)) : QCPRange(0, most / bars), false);
}

int HistogramPlot::countBins(size_t panel) const {
    return m_panels[panel].shown ? static_cast<int>(m_panels[panel].bars->distribution().histogram.counts.size()) : 0;
}

std::optional<HistogramPlot::Place> HistogramPlot::placeOf(int spot) const {
    if (spot < 0) return {};
    if (spot < countBins(Weights)) return Place{Weights, spot};
    const int bin = spot - countBins(Weights);
    return bin < countBins(Inputs) ? std::optional(Place{Inputs, bin}) : std::nullopt;
}

int HistogramPlot::spotAt(const QPointF& pixel) const {
    for (size_t i = 0; i < m_panels.size(); ++i) {
        const Panel& panel = m_panels[i];
        if (!panel.shown || !panel.rect->rect().contains(pixel.toPoint())) continue;
        const ValueHistogram& histogram = panel.bars->distribution().histogram;
        if (histogram.counts.empty() || histogram.bin_width() <= 0) return -1;
        const int bin = static_cast<int>(std::floor((panel.x->pixelToCoord(pixel.x()) - histogram.low) / histogram.bin_width()));
        return bin >= 0 && bin < countBins(i) ? bin + (i == Inputs ? countBins(Weights) : 0) : -1;
    }
    return -1;
}

QRectF HistogramPlot::boxOf(int spot) const {
    const std::optional<Place> place = placeOf(spot);
    if (!place) return {};
    const Panel& panel = m_panels[place->panel];
    return panel.bars->boxOf(place->bin).adjusted(-1, -1, 1, 0) & QRectF(panel.rect->rect());
}

QString HistogramPlot::readoutOf(int spot) const {
    const std::optional<Place> place = placeOf(spot);
    if (!place) return {};
    const ValueHistogram& histogram = m_panels[place->panel].bars->distribution().histogram;
    const double low = histogram.low + place->bin * histogram.bin_width();
    const int64_t count = histogram.counts[static_cast<size_t>(place->bin)];
    const int64_t all = std::accumulate(histogram.counts.begin(), histogram.counts.end(), int64_t{0});
    return tr("%1\n%2 values, %3 % of all").arg(formatExactRange(low, low + histogram.bin_width()), formatCount(count), formatNumber(all > 0 ? 100.0 * static_cast<double>(count) / static_cast<double>(all) : 0));
}

int HistogramPlot::spotBeside(int spot, int columns, int rows) const {
    const int all = countBins(Weights) + countBins(Inputs);
    if (all == 0) return -1;
    return spot < 0 ? 0 : std::clamp(spot + columns + rows, 0, all - 1);
}

QString HistogramPlot::note() const {
    return m_panels[Weights].shown || m_panels[Inputs].shown ? QString() : tr("The distribution of the values will show here.");
}

PlotTable HistogramPlot::table() const {
    const std::optional<Place> pointed = placeOf(pointedSpot());
    const Side other = m_panels[Weights].shown ? Weights : Inputs;
    const Panel& panel = m_panels[pointed ? pointed->panel : static_cast<size_t>(other)];
    const ValueHistogram& histogram = panel.bars->distribution().histogram;
    PlotTable table{.header = {tr("From"), tr("To"), tr("Count")}, .rows = {}};
    for (size_t bin = 0; bin < histogram.counts.size(); ++bin) {
        const double low = histogram.low + static_cast<double>(bin) * histogram.bin_width();
        if (panel.x->range().contains(low + histogram.bin_width() / 2))
            table.rows << QStringList{PlotTable::cell(low), PlotTable::cell(low + histogram.bin_width()), PlotTable::cell(histogram.counts[bin])};
    }
    return table;
}

PlotTable HistogramPlot::wholeTable() const {
    PlotTable table{.header = {tr("Values"), tr("From"), tr("To"), tr("Count")}, .rows = {}};
    for (const Panel& panel : m_panels) {
        if (!panel.shown) continue;
        const ValueDistribution& shown = panel.bars->distribution();
        for (size_t bin = 0; bin < shown.histogram.counts.size(); ++bin) {
            const double low = shown.histogram.low + static_cast<double>(bin) * shown.histogram.bin_width();
            table.rows << QStringList{shown.what, PlotTable::cell(low), PlotTable::cell(low + shown.histogram.bin_width()), PlotTable::cell(shown.histogram.counts[bin])};
        }
    }
    return table;
}

}  // namespace calibench
