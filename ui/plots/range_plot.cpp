#include "ui/plots/range_plot.h"

#include <QComboBox>
#include <QMenu>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <utility>

#include "ui/format.h"
#include "ui/plots/plot_view.h"
#include "ui/plots/range_bars.h"
#include "ui/plots/range_painter.h"

namespace calibench {

namespace {

using namespace std::chrono_literals;

unsigned char bitOf(Tap tap) { return static_cast<unsigned char>(1 << static_cast<int>(tap)); }

const std::optional<RangeObserved>& rangeOf(const ModuleRecord& module, Tap tap) {
    return tap == Tap::Weight ? module.weight : module.input;
}

}  // namespace

RangePlot::RangePlot(const RunRecord& record, QWidget* parent) : Plot(parent), m_record(record) {
    canvas()->setAccessibleName(tr("Ranges of weights and inputs, one module after another"));
    setAccessibleName(tr("Ranges"));
    QCustomPlot* plot = canvas();
    m_legend = new QCPLegend;
    plot->plotLayout()->addElement(0, 0, m_legend);
    m_legend->setLayer(QStringLiteral("legend"));
    m_legend->setFillOrder(QCPLegend::foColumnsFirst);
    m_legend->setWrap(8);
    m_legend->setColumnSpacing(2);
    m_legend->setMargins(QMargins(8, 6, 4, 2));
    plot->plotLayout()->setRowStretchFactor(0, 0.001);
    plot->plotLayout()->setRowSpacing(2);

    auto* margins = new QCPMarginGroup(plot);
    m_panels[1].tap = Tap::Input;
    for (Panel& panel : m_panels) {
        makePanel(panel);
        panel.rect->setMarginGroup(QCP::msLeft | QCP::msRight, margins);
    }
    QCPAxis* upper = m_panels[0].rect->axis(QCPAxis::atBottom);
    QCPAxis* lower = m_panels[1].rect->axis(QCPAxis::atBottom);
    lower->setLabel(tr("Block (pale: smallest to largest, full: 99.8 % of the values)"));
    connect(upper, qOverload<const QCPRange&>(&QCPAxis::rangeChanged), lower, qOverload<const QCPRange&>(&QCPAxis::setRange));
    connect(lower, qOverload<const QCPRange&>(&QCPAxis::rangeChanged), upper, qOverload<const QCPRange&>(&QCPAxis::setRange));
    m_fadeIn.setSingleShot(true);
    m_fadeIn.setInterval(120ms);
    connect(&m_fadeIn, &QTimer::timeout, this, [this] {
        m_fresh.clear();
        refresh();
    });
    applyTheme();
}

void RangePlot::makePanel(Panel& panel) {
    panel.rect = new QCPAxisRect(canvas());
    const bool weights = panel.tap == Tap::Weight;
    canvas()->plotLayout()->addElement(weights ? 1 : 2, 0, panel.rect);
    panel.rect->setRangeDrag(Qt::Horizontal);
    panel.rect->axis(QCPAxis::atLeft)->setLabel(weights ? tr("Weight") : tr("Input"));
    view().addPanel(panel.rect);
    panel.painter = new RangePainter(panel.rect, panel.bars);

    auto* scale = new QComboBox;
    scale->addItems({tr("Automatic"), tr("Linear"), tr("Symlog")});
    scale->setToolTip(tr("How the scale is divided. Symlog is linear near zero and logarithmic beyond; automatic chooses it when the "
                         "ranges span more than three decades."));
    scale->setObjectName(weights ? QStringLiteral("weightScale") : QStringLiteral("inputScale"));
    connect(scale, &QComboBox::currentIndexChanged, this, [this, tap = panel.tap](int index) { setScale(tap, static_cast<Scale>(index)); });
    addOption(weights ? tr("Weights") : tr("Inputs"), scale);
}

void RangePlot::restyle(const PlotTheme& theme) {
    theme.apply(m_legend);
    for (Panel& panel : m_panels) {
        panel.painter->setHighlight(theme.text);
        for (size_t i = 0; i < panel.bars.size(); ++i) {
            const QColor fill = theme.categorical(static_cast<int>(i));
            panel.bars[i]->setColours(fill, theme.mixed(fill, 0.4), theme.mixed(fill, 0.2));
        }
    }
    for (int i = 0; i < m_legend->itemCount(); ++i) {  // a hidden one is struck out as well: colour is never the only sign
        const bool shown = m_panels[0].bars[static_cast<size_t>(i)]->visible();
        QFont font = m_legend->font();
        font.setStrikeOut(!shown);
        m_legend->item(i)->setFont(font);
        m_legend->item(i)->setTextColor(shown ? theme.text : theme.muted);
    }
}

void RangePlot::applySnapshot(const RunSnapshot& snapshot) {
    const bool wasMoving = !m_moving.empty();
    m_moving.clear();
    m_fresh.clear();
    if (snapshot.started) {
        m_places.forget();
        m_known.clear();
    }
    m_known.resize(m_record.modules().size(), 0);
    if (!snapshot.ranges.empty()) {
        m_moving.resize(m_known.size(), 0);
        m_fresh.resize(m_known.size(), 0);
        m_fadeIn.start();
    }
    for (const RangeObserved& event : snapshot.ranges)
        if (const ModuleRecord* module = m_record.find(event.module)) {
            const auto index = static_cast<size_t>(module - m_record.modules().data());
            m_moving[index] |= bitOf(event.tap);
            if ((m_known[index] & bitOf(event.tap)) == 0) m_fresh[index] |= bitOf(event.tap);
            m_known[index] |= m_fresh[index];
        }
    if (wasMoving || !m_moving.empty() || snapshot.started) refresh();
}

void RangePlot::settle() {
    if (m_moving.empty()) return;
    m_moving.clear();
    refresh();
}

void RangePlot::setScale(Tap tap, Scale scale) {
    for (Panel& panel : m_panels)
        if (panel.tap == tap) panel.scale = scale;
    refresh();
}

void RangePlot::setProjectionShown(const QString& projection, bool shown) {
    if (shown)
        m_hidden.remove(projection);
    else
        m_hidden.insert(projection);
    refresh();
}

RangeBars* RangePlot::barsOf(Panel& panel, size_t projection) {
    while (panel.bars.size() <= projection) {
        auto* bars = new RangeBars(panel.rect->axis(QCPAxis::atBottom), panel.rect->axis(QCPAxis::atLeft));
        panel.bars.push_back(bars);
        if (&panel == &m_panels[0]) bars->addToLegend(m_legend);
    }
    return panel.bars[projection];
}

Symlog RangePlot::scaleFor(const Panel& panel) const {
    if (panel.scale == Scale::Linear) return {};
    std::vector<double> magnitudes;
    const std::vector<ModuleRecord>& modules = m_record.modules();
    for (size_t i = 0; i < modules.size(); ++i)
        if (shown(i, panel.tap)) {
            const RangeObserved& range = *rangeOf(modules[i], panel.tap);
            magnitudes.push_back(std::max(std::abs(range.min), std::abs(range.max)));
        }
    return panel.scale == Scale::Symlog ? Symlog::always(magnitudes) : Symlog::forMagnitudes(magnitudes);
}

void RangePlot::rebuildPanel(Panel& panel) {
    if (const Symlog scale = scaleFor(panel); scale != panel.symlog) {
        panel.symlog = scale;
        panel.fitValues = true;  // the positions of before mean other values now
    }
    const Symlog& scale = panel.symlog;
    const std::vector<ModuleRecord>& modules = m_record.modules();
    std::vector<std::vector<RangeBar>> bars(m_places.projections().size());
    const auto has = [&](const TapBits& bits, size_t module) { return module < bits.size() && (bits[module] & bitOf(panel.tap)) != 0; };
    for (size_t i = 0; i < modules.size(); ++i) {
        const auto& range = rangeOf(modules[i], panel.tap);
        if (!range || m_places.key(i) == ModulePlaces::Nowhere) continue;
        bars[m_places.projection(i)].push_back({.key = m_places.key(i), .min = scale.map(range->min), .max = scale.map(range->max),
                                                .low = scale.map(range->p001), .high = scale.map(range->p999),
                                                .moving = has(m_moving, i), .fresh = has(m_fresh, i)});
    }
    QCPRange values(0, 0);
    bool found = false;
    for (size_t projection = 0; projection < bars.size(); ++projection) {
        RangeBars* plottable = barsOf(panel, projection);
        const QString name = QString::fromStdString(m_places.projections()[projection]);
        plottable->setName(name);
        plottable->setVisible(projectionShown(name));
        plottable->setWidth(m_places.width() * 0.86);
        plottable->setBars(std::move(bars[projection]));
        const std::optional<QCPRange> own = plottable->extent();
        if (!own || !plottable->visible()) continue;
        values.expand(*own);
        found = true;
    }
    QCPAxis* axis = panel.rect->axis(QCPAxis::atLeft);
    if (scale.active())
        axis->setTicker(QSharedPointer<SymlogTicker>::create(scale));
    else
        axis->setTicker(QSharedPointer<NumberTicker>::create());
    if (!found) return;
    const double margin = std::max(values.size() * 0.06, 1e-300);
    const QCPRange whole(values.lower - margin, values.upper + margin);
    view().setWhole(axis, whole, false);
    if (std::exchange(panel.fitValues, false)) view().redefine(axis, whole);
}

void RangePlot::rebuild() {
    m_places.update(m_record);
    for (Panel& panel : m_panels) {
        while (panel.bars.size() > m_places.projections().size()) {  // the last model had more
            canvas()->removePlottable(panel.bars.back());
            panel.bars.pop_back();
        }
        panel.rect->axis(QCPAxis::atBottom)->setTicker(QSharedPointer<IndexTicker>::create(m_places.labels()));
        rebuildPanel(panel);
        view().setWhole(panel.rect->axis(QCPAxis::atBottom), QCPRange(-0.5, std::max<double>(1, static_cast<double>(m_places.labels().size())) - 0.5), true);
    }
    restyle(theme());
    wrapLegend();
}

void RangePlot::wrapLegend() {
    int widest = 1;
    for (int i = 0; i < m_legend->itemCount(); ++i) widest = std::max(widest, m_legend->item(i)->minimumOuterSizeHint().width() + 14);  // air between a name and the next swatch
    m_legend->setWrap(std::max(1, (canvas()->width() - 24) / widest));
}

void RangePlot::resizeEvent(QResizeEvent* event) {
    Plot::resizeEvent(event);
    wrapLegend();
}

bool RangePlot::clicked(const QPointF& pixel) {
    for (int i = 0; i < m_legend->itemCount(); ++i)
        if (m_legend->item(i)->outerRect().contains(pixel.toPoint())) {
            const QString projection = m_panels[0].bars[static_cast<size_t>(i)]->name();
            setProjectionShown(projection, !projectionShown(projection));
            return true;
        }
    return false;
}

void RangePlot::extendMenu(QMenu* menu) {
    QMenu* projections = menu->addMenu(tr("Projections"));
    for (const RangeBars* bars : m_panels[0].bars) {
        QAction* action = projections->addAction(bars->name());
        action->setCheckable(true);
        action->setChecked(bars->visible());
        connect(action, &QAction::toggled, this, [this, name = bars->name()](bool on) { setProjectionShown(name, on); });
    }
}

bool RangePlot::shown(size_t module, Tap tap) const {
    if (module >= m_places.size() || module >= m_record.modules().size()) return false;
    const ModuleRecord& record = m_record.modules()[module];
    return rangeOf(record, tap) && m_places.key(module) != ModulePlaces::Nowhere &&
           (m_hidden.isEmpty() || projectionShown(QString::fromStdString(record.projection)));
}

int RangePlot::spotAt(const QPointF& pixel) const {
    for (size_t p = 0; p < m_panels.size(); ++p) {
        const Panel& panel = m_panels[p];
        if (!panel.rect->rect().contains(pixel.toPoint())) continue;
        const QCPAxis* axis = panel.rect->axis(QCPAxis::atBottom);
        const double key = axis->pixelToCoord(pixel.x());
        int nearest = -1;
        double distance = std::max(m_places.width() * 0.6, std::abs(axis->pixelToCoord(pixel.x() + 6) - key));
        for (size_t i = 0; i < m_record.modules().size(); ++i) {
            if (!shown(i, panel.tap) || std::abs(m_places.key(i) - key) >= distance) continue;
            distance = std::abs(m_places.key(i) - key);
            nearest = static_cast<int>(2 * i + p);
        }
        return nearest;
    }
    return -1;
}

QRectF RangePlot::boxOf(const Panel& panel, size_t module) const {
    if (!shown(module, panel.tap)) return {};
    const QCPAxis *x = panel.rect->axis(QCPAxis::atBottom), *y = panel.rect->axis(QCPAxis::atLeft);
    const double key = m_places.key(module);
    if (!x->range().contains(key)) return {};
    const RangeObserved& range = *rangeOf(m_record.modules()[module], panel.tap);
    const double width = RangeBars::pixelWidth(x, m_places.width() * 0.86) + 5;
    double top = panel.rect->top(), bottom = panel.rect->bottom();
    if (std::isfinite(range.min) && std::isfinite(range.max)) {
        top = std::max(top, y->coordToPixel(panel.symlog.map(range.max)) - 3);
        bottom = std::min(bottom, y->coordToPixel(panel.symlog.map(range.min)) + 3);
    }
    return QRectF(x->coordToPixel(key) - width / 2, top, width, std::max(4.0, bottom - top));
}

QRectF RangePlot::boxOf(int spot) const { return spot < 0 ? QRectF() : boxOf(m_panels[static_cast<size_t>(spot % 2)], static_cast<size_t>(spot / 2)); }

QString RangePlot::moduleOf(int spot) const {
    const auto module = static_cast<size_t>(spot / 2);
    return spot < 0 || module >= m_record.modules().size() ? QString() : QString::fromStdString(m_record.modules()[module].name);
}

QString RangePlot::readoutOf(int spot) const {
    if (moduleOf(spot).isEmpty()) return {};
    QStringList lines{moduleOf(spot)};
    for (const Panel& panel : m_panels) {
        const auto& range = rangeOf(m_record.modules()[static_cast<size_t>(spot / 2)], panel.tap);
        if (!range) continue;
        lines << tr("%1 %2, 99.8 % within %3")
                     .arg(panel.tap == Tap::Weight ? tr("Weight") : tr("Input"), formatExactRange(range->min, range->max),
                          formatExactRange(range->p001, range->p999));
    }
    return lines.join(QLatin1Char('\n'));
}

int RangePlot::spotBeside(int spot, int columns, int rows) const {
    const auto count = static_cast<int>(m_record.modules().size());
    int panel = spot < 0 ? 0 : spot % 2;
    if (rows != 0) {
        const int other = std::clamp(panel + rows, 0, 1);
        return spot >= 0 && shown(static_cast<size_t>(spot / 2), m_panels[static_cast<size_t>(other)].tap) ? spot - panel + other : spot;
    }
    if (spot < 0) columns = 1;
    for (int module = spot < 0 ? 0 : spot / 2 + columns; module >= 0 && module < count; module += columns)
        if (shown(static_cast<size_t>(module), m_panels[static_cast<size_t>(panel)].tap)) return 2 * module + panel;
    return spot;
}

std::vector<QRectF> RangePlot::selectionBoxes() const {
    std::vector<QRectF> boxes;
    const std::string selected = selectedModule().toStdString();
    const auto add = [&boxes](const QRectF& box) {
        if (!box.isEmpty()) boxes.push_back(box);
    };
    const ModuleRecord* module = m_record.find(selected);
    const int block = m_record.blockOf(selected);
    for (const Panel& panel : m_panels) {
        const QCPAxis* x = panel.rect->axis(QCPAxis::atBottom);
        if (module)
            add(boxOf(panel, static_cast<size_t>(module - m_record.modules().data())));
        else if (block >= 0)
            add(QRectF(x->coordToPixel(block - 0.5), panel.rect->top(), x->coordToPixel(1) - x->coordToPixel(0), panel.rect->height()) & QRectF(panel.rect->rect()));
    }
    return boxes;
}

QString RangePlot::note() const {
    const auto known = [](const ModuleRecord& module) { return module.weight || module.input; };
    const auto& modules = m_record.modules();
    return m_record.started() && std::none_of(modules.begin(), modules.end(), known) ? tr("Ranges will show here as soon as the first block is observed.") : QString();
}

PlotTable RangePlot::table() const {
    const QCPRange seen = m_panels[0].rect->axis(QCPAxis::atBottom)->range();
    return tableOf([&](size_t module) { return (shown(module, Tap::Weight) || shown(module, Tap::Input)) && seen.contains(m_places.key(module)); });
}

PlotTable RangePlot::wholeTable() const {
    return tableOf([this](size_t module) { return m_record.modules()[module].weight || m_record.modules()[module].input; });
}

PlotTable RangePlot::tableOf(const std::function<bool(size_t)>& counts) const {
    PlotTable table{.header = {tr("Module"), tr("Block"), tr("Projection"), tr("Weight min"), tr("Weight max"), tr("Weight 0.1 %"), tr("Weight 99.9 %"),
                               tr("Input min"), tr("Input max"), tr("Input 0.1 %"), tr("Input 99.9 %")},
                    .rows = {}};
    for (size_t i = 0; i < m_record.modules().size(); ++i) {
        if (!counts(i)) continue;
        const ModuleRecord& module = m_record.modules()[i];
        QStringList row{QString::fromStdString(module.name), QString::number(module.block), QString::fromStdString(module.projection)};
        for (const Tap tap : {Tap::Weight, Tap::Input}) {
            const auto& range = rangeOf(module, tap);
            if (range)
                row << PlotTable::cell(range->min) << PlotTable::cell(range->max) << PlotTable::cell(range->p001) << PlotTable::cell(range->p999);
            else
                row << QString() << QString() << QString() << QString();
        }
        table.rows << row;
    }
    return table;
}

}  // namespace calibench
