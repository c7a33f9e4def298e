#include "ui/plots/range_plot.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "ui/format.h"
#include "ui/plots/range_bars.h"
#include "ui/plots/scales.h"

namespace calibench {

namespace {

const std::optional<RangeObserved>& rangeOf(const ModuleRecord& module, Tap tap) {
    return tap == Tap::Weight ? module.weight : module.input;
}

}  // namespace

RangePlot::RangePlot(const RunRecord& record, QWidget* parent) : Plot(parent), m_record(record) {
    setAccessibleName(tr("Ranges of weights and inputs"));
    QCustomPlot* plot = canvas();
    plot->plotLayout()->clear();
    m_legend = new QCPLegend;
    plot->plotLayout()->addElement(0, 0, m_legend);
    m_legend->setLayer(QStringLiteral("legend"));
    m_legend->setFillOrder(QCPLegend::foColumnsFirst);
    m_legend->setWrap(8);
    m_legend->setColumnSpacing(2);
    m_legend->setMargins(QMargins(12, 6, 4, 0));
    plot->plotLayout()->setRowStretchFactor(0, 0.001);

    auto* margins = new QCPMarginGroup(plot);
    for (size_t i = 0; i < m_panels.size(); ++i) {
        Panel& panel = m_panels[i];
        panel.tap = i == 0 ? Tap::Weight : Tap::Input;
        panel.rect = new QCPAxisRect(plot);
        plot->plotLayout()->addElement(static_cast<int>(i) + 1, 0, panel.rect);
        panel.rect->setMarginGroup(QCP::msLeft | QCP::msRight, margins);
        panel.rect->setRangeDrag(Qt::Horizontal);
        panel.rect->setRangeZoom(Qt::Horizontal);
        panel.rect->axis(QCPAxis::atLeft)->setLabel(i == 0 ? tr("Weight") : tr("Input"));
        for (QCPAxis* axis : panel.rect->axes()) {
            axis->setLayer(QStringLiteral("axes"));
            axis->grid()->setLayer(QStringLiteral("grid"));
        }
    }
    QCPAxis* upper = m_panels[0].rect->axis(QCPAxis::atBottom);
    QCPAxis* lower = m_panels[1].rect->axis(QCPAxis::atBottom);
    lower->setLabel(tr("Block (pale: smallest to largest, full: 99.8 % of the values)"));
    connect(upper, qOverload<const QCPRange&>(&QCPAxis::rangeChanged), lower, qOverload<const QCPRange&>(&QCPAxis::setRange));
    connect(lower, qOverload<const QCPRange&>(&QCPAxis::rangeChanged), upper, qOverload<const QCPRange&>(&QCPAxis::setRange));
    applyTheme();
}

void RangePlot::restyle(const PlotTheme& theme) {
    theme.apply(m_legend);
    for (Panel& panel : m_panels)
        for (size_t i = 0; i < panel.bars.size(); ++i)
            panel.bars[i]->setColours(theme.categorical(static_cast<int>(i)), theme.text);
}

void RangePlot::applySnapshot(const RunSnapshot& snapshot) {
    const bool wasMoving = !m_moving.empty();
    m_moving.clear();
    for (const RangeObserved& event : snapshot.ranges) m_moving[event.module] |= 1 << static_cast<int>(event.tap);
    if (wasMoving || !m_moving.empty() || snapshot.started) refresh();
}

void RangePlot::settle() {
    if (m_moving.empty()) return;
    m_moving.clear();
    refresh();
}

void RangePlot::setSelectedModule(const QString& module) {
    m_selected = module.toStdString();
    refresh();
}

void RangePlot::layOutModules() {
    const std::vector<ModuleRecord>& modules = m_record.modules();
    std::map<int, int> sizes;
    for (const ModuleRecord& module : modules) ++sizes[module.block];
    int largest = 1;
    for (const auto& [block, size] : sizes)
        if (block >= 0) largest = std::max(largest, size);
    m_slotWidth = 1.0 / (largest + 1);  // one empty place between two blocks

    m_keys.clear();
    m_projectionOf.clear();
    m_projections.clear();
    QStringList labels;
    for (size_t block = 0; block < m_record.blocks().size(); ++block) labels << QString::number(block);
    std::map<int, int> placed;
    for (const ModuleRecord& module : modules) {
        if (module.block < 0) {
            const bool known = module.weight || module.input;  // an output layer that is left alone takes no place
            m_keys.push_back(known ? static_cast<double>(labels.size()) : -1);
            if (!known) {
                m_projectionOf.push_back(0);
                continue;
            }
            labels << QString::fromStdString(module.projection);
        } else {
            const double offset = placed[module.block]++ - (sizes[module.block] - 1) / 2.0;
            m_keys.push_back(module.block + offset * m_slotWidth);
        }
        auto known = std::find(m_projections.begin(), m_projections.end(), module.projection);
        if (known == m_projections.end()) known = m_projections.insert(known, module.projection);
        m_projectionOf.push_back(static_cast<size_t>(known - m_projections.begin()));
    }
    m_slots = std::max<double>(1, static_cast<double>(labels.size()));
    for (Panel& panel : m_panels) panel.rect->axis(QCPAxis::atBottom)->setTicker(QSharedPointer<IndexTicker>::create(labels));
}

RangeBars* RangePlot::barsOf(Panel& panel, size_t projection) {
    while (panel.bars.size() <= projection) {
        auto* bars = new RangeBars(panel.rect->axis(QCPAxis::atBottom), panel.rect->axis(QCPAxis::atLeft));
        panel.bars.push_back(bars);
        if (&panel == &m_panels[0]) bars->addToLegend(m_legend);
    }
    return panel.bars[projection];
}

void RangePlot::rebuildPanel(Panel& panel) {
    const std::vector<ModuleRecord>& modules = m_record.modules();
    std::vector<double> magnitudes;
    for (const ModuleRecord& module : modules)
        if (const auto& range = rangeOf(module, panel.tap)) magnitudes.push_back(std::max(std::abs(range->min), std::abs(range->max)));
    const Symlog scale = Symlog::forMagnitudes(magnitudes);

    std::vector<std::vector<RangeBar>> bars(m_projections.size());
    for (size_t i = 0; i < modules.size(); ++i) {
        const auto& range = rangeOf(modules[i], panel.tap);
        if (!range) continue;
        const auto moving = m_moving.find(modules[i].name);
        bars[m_projectionOf[i]].push_back({.key = m_keys[i], .min = scale.map(range->min), .max = scale.map(range->max),
                                           .low = scale.map(range->p001), .high = scale.map(range->p999),
                                           .moving = moving != m_moving.end() && (moving->second >> static_cast<int>(panel.tap) & 1),
                                           .selected = modules[i].name == m_selected});
    }
    bool found = false;
    QCPRange values;
    for (size_t projection = 0; projection < bars.size(); ++projection) {
        RangeBars* plottable = barsOf(panel, projection);
        plottable->setName(QString::fromStdString(m_projections[projection]));
        plottable->setWidth(m_slotWidth * 0.86);
        plottable->setBars(std::move(bars[projection]));
        bool own = false;
        const QCPRange range = plottable->getValueRange(own);
        if (own && found) values.expand(range);
        if (own && !found) values = range;
        found = found || own;
    }
    QCPAxis* axis = panel.rect->axis(QCPAxis::atLeft);
    if (scale.active())
        axis->setTicker(QSharedPointer<SymlogTicker>::create(scale));
    else
        axis->setTicker(QSharedPointer<NumberTicker>::create());
    if (found && following()) {
        values.expand(QCPRange(0, 0));
        const double margin = std::max(values.size() * 0.06, 1e-12);
        axis->setRange(values.lower - margin, values.upper + margin);
    }
}

void RangePlot::rebuild() {
    layOutModules();
    for (Panel& panel : m_panels) {
        while (panel.bars.size() > m_projections.size()) {  // the last model had more
            canvas()->removePlottable(panel.bars.back());
            panel.bars.pop_back();
        }
        rebuildPanel(panel);
    }
    if (following()) m_panels[0].rect->axis(QCPAxis::atBottom)->setRange(-0.5, m_slots - 0.5);
    restyle(theme());
}

const ModuleRecord* RangePlot::recordAt(const QPointF& pixel) const {
    const std::vector<ModuleRecord>& modules = m_record.modules();
    for (const Panel& panel : m_panels) {
        if (!panel.rect->rect().contains(pixel.toPoint())) continue;
        const QCPAxis* axis = panel.rect->axis(QCPAxis::atBottom);
        const double key = axis->pixelToCoord(pixel.x());
        const ModuleRecord* nearest = nullptr;
        double distance = std::max(m_slotWidth * 0.6, std::abs(axis->pixelToCoord(pixel.x() + 6) - key));
        for (size_t i = 0; i < std::min(m_keys.size(), modules.size()); ++i) {
            if (std::abs(m_keys[i] - key) >= distance || !rangeOf(modules[i], panel.tap)) continue;
            distance = std::abs(m_keys[i] - key);
            nearest = &modules[i];
        }
        return nearest;
    }
    return nullptr;
}

QString RangePlot::moduleAt(const QPointF& pixel) const {
    const ModuleRecord* module = recordAt(pixel);
    return module ? QString::fromStdString(module->name) : QString();
}

QString RangePlot::readoutAt(const QPointF& pixel) const {
    const ModuleRecord* module = recordAt(pixel);
    if (!module) return {};
    QStringList lines{QString::fromStdString(module->name)};
    for (const Panel& panel : m_panels) {
        const auto& range = rangeOf(*module, panel.tap);
        if (!range) continue;
        lines << tr("%1 %2, 99.8 % within %3")
                     .arg(panel.tap == Tap::Weight ? tr("Weight") : tr("Input"), formatExactRange(range->min, range->max),
                          formatExactRange(range->p001, range->p999));
    }
    return lines.join(QLatin1Char('\n'));
}

}  // namespace calibench
