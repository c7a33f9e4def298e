#include "ui/overview/overview_map.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <unordered_map>
#include <utility>

#include "ui/format.h"
#include "ui/lens/map_cells.h"
#include "ui/overview/overview_loader.h"
#include "ui/plots/colour_bar.h"
#include "ui/plots/plot_view.h"
#include "ui/plots/scales.h"
#include "ui/session.h"

namespace calibench {

OverviewMap::OverviewMap(const Session& session, const OverviewLoader& loader, QWidget* parent) : Plot(parent), m_session(session), m_loader(loader) {
    setAccessibleName(tr("Modules by block and projection"));
    canvas()->setAccessibleName(tr("One number of every module by block and projection"));
    makePanel();
    connect(&loader, &OverviewLoader::modulesChanged, this, [this] {
        takeModules();
        startOver();
        refresh();
    });
    connect(&loader, &OverviewLoader::rowsChanged, this, &OverviewMap::refresh);
    takeModules();
    applyTheme();
}

void OverviewMap::makePanel() {
    m_rect = new QCPAxisRect(canvas());
    canvas()->plotLayout()->addElement(0, 0, m_rect);
    for (QCPAxis* axis : m_rect->axes()) axis->grid()->setVisible(false);
    m_x = m_rect->axis(QCPAxis::atBottom);
    m_y = m_rect->axis(QCPAxis::atLeft);
    m_x->setLabel(tr("Block"));
    m_x->setTicker(QSharedPointer<IndexTicker>::create());
    m_y->setRangeReversed(true);
    view().addPanel(m_rect);
    m_rect->setRangeDrag(Qt::Horizontal);
    m_drawing = new MapCells(m_x, m_y);
    m_drawing->setWidestText(QStringLiteral("00.0"));

    m_scale = makeColourBar({m_rect});
    canvas()->plotLayout()->addElement(0, 1, m_scale);
}

void OverviewMap::restyle(const PlotTheme& theme) {
    m_drawing->setLines(theme.text, theme.background);
    theme.apply(m_scale);
}

void OverviewMap::setMetric(MetricKind kind) {
    if (std::exchange(m_kind, kind) != kind) refresh();
}

void OverviewMap::takeModules() {
    std::unordered_map<std::string, int> blocks;
    for (const ModuleInfo& module : m_session.model().modules) blocks.emplace(module.name, module.block);
    m_blocks = static_cast<int>(m_session.model().num_blocks);
    m_places.clear();
    m_index.clear();
    m_projections.clear();
    for (const Specimen& specimen : m_loader.modules()) {
        const QString name = QString::fromStdString(specimen.module);
        const QString projection = name.section(QLatin1Char('.'), -1);
        const auto block = blocks.find(specimen.module);
        m_index.insert(name, static_cast<int>(m_places.size()));
        m_places.emplace_back();
        if (block == blocks.end() || block->second < 0 || block->second >= m_blocks) continue;  // the head has no place among blocks; the table has it
        if (!m_projections.contains(projection)) m_projections << projection;
        m_places.back() = Place{block->second, static_cast<int>(m_projections.indexOf(projection))};
    }
}

void OverviewMap::fillCells() {
    const Metric& shown = metricOf(m_kind);
    m_cells.assign(static_cast<size_t>(m_blocks) * static_cast<size_t>(m_projections.size()), {});
    for (size_t i = 0; i < m_places.size(); ++i) {
        if (!m_places[i]) continue;
        Cell& cell = m_cells[static_cast<size_t>(cellOf(*m_places[i]))];
        const std::optional<double> value = m_loader.row(i) ? shown.shown(*m_loader.row(i)) : std::nullopt;
        const bool takes = cell.module < 0 || (value && (!cell.value || shown.worse(*value, *cell.value)));
        if (takes) cell = {static_cast<int>(i), value};
    }
}

void OverviewMap::rebuild() {
    fillCells();
    MapTile tile;
    tile.rows = m_projections.size();
    tile.columns = m_blocks;
    tile.covers = {.row = 0, .column = 0, .rows = tile.rows, .columns = tile.columns};
    double low = std::numeric_limits<double>::max(), high = std::numeric_limits<double>::lowest();
    std::optional<int64_t> worst;
    for (size_t i = 0; i < m_cells.size(); ++i) {
        const auto& value = m_cells[i].value;
        tile.values.push_back(value ? static_cast<float>(*value) : std::numeric_limits<float>::quiet_NaN());
        if (!value) continue;
        if (!worst || metricOf(m_kind).worse(*value, *m_cells[static_cast<size_t>(*worst)].value)) worst = static_cast<int64_t>(i);
        if (!std::isfinite(*value)) continue;
        low = std::min(low, *value);
        high = std::max(high, *value);
    }
    if (low > high) low = 0, high = 1;
    if (low == high) high = low + std::max(1e-9, std::abs(low) * 1e-3);
    m_drawing->setDetail(std::move(tile));
    m_drawing->setRing(worst);
    m_drawing->setColours({.gradient = viridis(), .low = low, .high = high, .magnitudes = false, .notANumber = theme().mixed(theme().muted, 0.15)});
    m_scale->setDataRange(QCPRange(low, high));
    const Metric& shown = metricOf(m_kind);
    m_scale->axis()->setLabel(shown.unit.isEmpty() ? shown.name : tr("%1 in %2").arg(shown.name, shown.unit));
    m_y->setTicker(QSharedPointer<IndexTicker>::create(m_projections));
    view().setWhole(m_x, QCPRange(-0.5, std::max(1, m_blocks) - 0.5), true);
    view().setWhole(m_y, QCPRange(-0.5, std::max<double>(1, static_cast<double>(m_projections.size())) - 0.5), true);
}

int OverviewMap::spotAt(const QPointF& pixel) const {
    if (!m_rect->rect().contains(pixel.toPoint())) return -1;
    const Place place{static_cast<int>(std::lround(m_x->pixelToCoord(pixel.x()))), static_cast<int>(std::lround(m_y->pixelToCoord(pixel.y())))};
    const bool inside = place.block >= 0 && place.block < m_blocks && place.projection >= 0 && place.projection < m_projections.size();
    return inside && m_cells[static_cast<size_t>(cellOf(place))].module >= 0 ? cellOf(place) : -1;
}

QRectF OverviewMap::boxOf(int spot) const {
    if (spot < 0 || m_blocks == 0) return {};
    return m_drawing->boxOf({.row = spot / m_blocks, .column = spot % m_blocks, .rows = 1, .columns = 1}) & QRectF(m_rect->rect());
}

QString OverviewMap::moduleOf(int spot) const {
    if (spot < 0 || spot >= static_cast<int>(m_cells.size()) || m_cells[static_cast<size_t>(spot)].module < 0) return {};
    return QString::fromStdString(m_loader.modules()[static_cast<size_t>(m_cells[static_cast<size_t>(spot)].module)].module);
}

QString OverviewMap::readoutOf(int spot) const {
    const QString module = moduleOf(spot);
    if (module.isEmpty()) return {};
    const auto& known = m_loader.row(static_cast<size_t>(m_cells[static_cast<size_t>(spot)].module));
    if (!known) return tr("%1\nNot looked at yet").arg(module);
    QStringList lines{module};
    for (const Metric& each : metrics())
        if (const auto value = each.shown(*known)) lines << tr("%1 %2 %3").arg(each.name, formatExact(*value), each.unit);
    const std::string& why = known->problem.empty() ? known->reason : known->problem;
    if (!why.empty()) lines << QString::fromStdString(why);
    return lines.join(QLatin1Char('\n'));
}

std::vector<QRectF> OverviewMap::selectionBoxes() const {
    if (m_blocks == 0) return {};
    const QString selected = selectedModule();
    QRectF box;
    if (const auto module = m_index.constFind(selected); module != m_index.constEnd()) {
        if (m_places[static_cast<size_t>(*module)]) box = boxOf(cellOf(*m_places[static_cast<size_t>(*module)]));
    } else if (!selected.isEmpty()) {  // a block
        for (size_t i = 0; i < m_places.size(); ++i)
            if (m_places[i] && QString::fromStdString(m_loader.modules()[i].module).startsWith(selected + QLatin1Char('.')))
                box |= m_drawing->boxOf({.row = 0, .column = m_places[i]->block, .rows = m_projections.size(), .columns = 1}) & QRectF(m_rect->rect());
    }
    return box.isEmpty() ? std::vector<QRectF>() : std::vector<QRectF>{box};
}

int OverviewMap::spotBeside(int spot, int columns, int rows) const {
    if (m_cells.empty()) return -1;
    if (spot < 0) return 0;
    const Place next{std::clamp(spot % m_blocks + columns, 0, m_blocks - 1), std::clamp(spot / m_blocks + rows, 0, static_cast<int>(m_projections.size()) - 1)};
    return cellOf(next);
}

QString OverviewMap::note() const { return m_cells.empty() ? tr("The modules will show here by block and projection.") : QString(); }

PlotTable OverviewMap::table() const {
    return tableOf([this](int block) { return m_x->range().contains(block); });
}

PlotTable OverviewMap::wholeTable() const {
    return tableOf([](int) { return true; });
}

PlotTable OverviewMap::tableOf(const std::function<bool(int)>& blockCounts) const {
    PlotTable table{.header = {tr("Module"), tr("Block"), tr("Projection"), m_scale->axis()->label()}, .rows = {}};
    for (size_t i = 0; i < m_cells.size(); ++i) {
        const int block = static_cast<int>(i) % m_blocks;
        if (m_cells[i].module < 0 || !blockCounts(block)) continue;
        table.rows << QStringList{moduleOf(static_cast<int>(i)), QString::number(block), m_projections[static_cast<int>(i) / m_blocks],
                                  m_cells[i].value ? PlotTable::cell(*m_cells[i].value) : QString()};
    }
    return table;
}

}  // namespace calibench
