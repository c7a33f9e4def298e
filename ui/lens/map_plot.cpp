#include "ui/lens/map_plot.h"

#include <QComboBox>

#include <algorithm>
#include <cmath>
#include <utility>

#include "ui/format.h"
#include "ui/plots/colour_bar.h"
#include "ui/plots/plot_view.h"
#include "ui/plots/scales.h"

namespace calibench {

namespace {

constexpr int64_t Neighbours = 12;  // shown on each side of a channel that is zoomed to

struct LayerWords {
    WeightLayer layer;
    const char *name, *unit;
};

constexpr LayerWords Layers[] = {{WeightLayer::Error, QT_TRANSLATE_NOOP("calibench::MapPlot", "Error"), QT_TRANSLATE_NOOP("calibench::MapPlot", "W − Wq")},
                                 {WeightLayer::Scale, QT_TRANSLATE_NOOP("calibench::MapPlot", "Scales"), QT_TRANSLATE_NOOP("calibench::MapPlot", "|scale| of the group")},
                                 {WeightLayer::Weight, QT_TRANSLATE_NOOP("calibench::MapPlot", "Weight"), QT_TRANSLATE_NOOP("calibench::MapPlot", "W")},
                                 {WeightLayer::Quantized, QT_TRANSLATE_NOOP("calibench::MapPlot", "Quantized"), QT_TRANSLATE_NOOP("calibench::MapPlot", "Wq")}};

QString rangeText(int64_t first, int64_t count) {
    return count == 1 ? QString::number(first) : QStringLiteral("%1–%2").arg(first).arg(first + count - 1);
}

/// In full where there is room.
QString titleOf(const Slide& slide, const QFontMetrics& metrics, int room) {
    const QString full = slide.title(slide.name());
    return metrics.horizontalAdvance(full) <= room ? full : metrics.elidedText(slide.title(slide.shortName()), Qt::ElideRight, room);
}

}  // namespace

MapPlot::MapPlot(QWidget* parent) : Plot(parent), m_layers(new QComboBox), m_reach(new QComboBox) {
    setAccessibleName(tr("Map of the weight"));
    canvas()->setAccessibleName(tr("Map of the weight by row and column"));
    for (Panel& panel : m_panels) makePanel(panel);
    m_panels[0].y->setLabel(tr("Row (output channel)"));  // the other panel's rows are the same
    link(m_panels[0].x, m_panels[1].x);
    link(m_panels[0].y, m_panels[1].y);
    makeScale();
    for (const LayerWords& words : Layers) m_layers->addItem(tr(words.name));
    m_layers->setToolTip(tr("What the map shows of each value. A cell that stands for many shows the one of largest magnitude."));
    connect(m_layers, &QComboBox::currentIndexChanged, this, [this](int index) { setLayer(Layers[index].layer); });
    addOption(tr("Show"), m_layers);
    for (QComboBox* box : {m_layers, m_reach}) {
        box->setSizeAdjustPolicy(QComboBox::AdjustToMinimumContentsLengthWithIcon);
        box->setMinimumContentsLength(7);
    }
    m_reach->addItems({tr("whole weight"), tr("in sight")});
    m_reach->setToolTip(tr("What the strongest colour stands for: the largest magnitude of the whole weight, or of what is in sight"));
    connect(m_reach, &QComboBox::currentIndexChanged, this, [this] {
        recolour();
        canvas()->replot(QCustomPlot::rpQueuedReplot);
    });
    addOption(tr("Colours"), m_reach);
    m_request.setSingleShot(true);
    m_request.setInterval(0);
    connect(&m_request, &QTimer::timeout, this, &MapPlot::requestTiles);
    for (const QCPAxis* axis : {m_panels[0].x, m_panels[0].y})
        connect(axis, qOverload<const QCPRange&>(&QCPAxis::rangeChanged), &m_request, qOverload<>(&QTimer::start));
    arrange();
    applyTheme();
}

void MapPlot::makePanel(Panel& panel) {
    panel.rect = new QCPAxisRect(canvas());
    panel.rect->setupFullAxesBox(false);
    for (QCPAxis* axis : panel.rect->axes()) axis->grid()->setVisible(false);
    panel.x = panel.rect->axis(QCPAxis::atBottom);
    panel.y = panel.rect->axis(QCPAxis::atLeft);
    panel.y->setRangeReversed(true);  // row 0 on top, as matrices are written
    panel.x->setLabel(tr("Column (input channel)"));
    for (const auto side : {QCPAxis::atTop, QCPAxis::atRight}) {  // the title stands where the upper axis has its label
        panel.rect->axis(side)->setTicks(false);
        panel.rect->axis(side)->setTickLabels(false);
    }
    view().addPanel(panel.rect, Qt::Horizontal | Qt::Vertical);
    panel.cells = new MapCells(panel.x, panel.y);
}

void MapPlot::link(QCPAxis* axis, QCPAxis* other) {
    connect(axis, qOverload<const QCPRange&>(&QCPAxis::rangeChanged), other, qOverload<const QCPRange&>(&QCPAxis::setRange));
    connect(other, qOverload<const QCPRange&>(&QCPAxis::rangeChanged), axis, qOverload<const QCPRange&>(&QCPAxis::setRange));
}

void MapPlot::makeScale() {
    m_scale = makeColourBar({m_panels[0].rect, m_panels[1].rect});
    auto* sides = new QCPMarginGroup(canvas());  // a cell is as wide in one panel as in the other
    for (const Panel& panel : m_panels) panel.rect->setMarginGroup(QCP::msLeft | QCP::msRight, sides);
}

/// Puts the panels that are needed side by side, and the colours' scale beside them.
void MapPlot::arrange() {
    QCPLayoutGrid* layout = canvas()->plotLayout();
    const bool both = m_slides.size() > 1;
    m_panels[1].rect->setVisible(both);
    for (QCPLayoutElement* element : std::initializer_list<QCPLayoutElement*>{m_panels[0].rect, m_panels[1].rect, m_scale})
        if (element->layout()) layout->take(element);  // stays the canvas's child
    layout->simplify();
    layout->addElement(0, 0, m_panels[0].rect);
    if (both) layout->addElement(0, 1, m_panels[1].rect);
    layout->addElement(0, both ? 2 : 1, m_scale);
}

void MapPlot::restyle(const PlotTheme& theme) {
    theme.apply(m_scale);
    for (Panel& panel : m_panels) {
        theme.apply(panel.rect);  // the one that is left out too
        panel.cells->setLines(theme.text, theme.background);
        panel.rect->axis(QCPAxis::atTop)->setLabelColor(theme.text);
    }
    recolour();
}

Extent MapPlot::whole() const {
    if (m_slides.empty()) return {};
    const WeightFacts& facts = m_slides[0].weight->facts();
    return {.row = 0, .column = 0, .rows = facts.rows, .columns = facts.columns};
}

Extent MapPlot::seen() const {
    const Extent all = whole();
    const auto cut = [](const QCPRange& range, int64_t count) {
        const int64_t first = std::clamp<int64_t>(static_cast<int64_t>(std::floor(range.lower + 0.5)), 0, std::max<int64_t>(0, count - 1));
        const int64_t end = std::clamp<int64_t>(static_cast<int64_t>(std::ceil(range.upper + 0.5)), first + 1, std::max(first + 1, count));
        return std::pair(first, end - first);
    };
    const auto [row, rows] = cut(m_panels[0].y->range(), all.rows);
    const auto [column, columns] = cut(m_panels[0].x->range(), all.columns);
    return {.row = row, .column = column, .rows = rows, .columns = columns};
}

void MapPlot::setSlides(const std::vector<Slide>& slides) {
    if (m_slides == slides) return;
    const Extent before = whole();
    const std::string module = m_slides.empty() ? std::string() : m_slides[0].weight->facts().module;
    m_slides = slides;
    m_tiles.forget();
    m_wholeKnown = false;
    const bool another = m_slides.empty() || before != whole() || module != m_slides[0].weight->facts().module;
    if (another) {
        m_marked.reset();
        for (Panel& panel : m_panels) panel.cells->forget();
    }
    arrange();
    if (another) startOver();
    refresh();
}

void MapPlot::setLayer(WeightLayer layer) {
    if (std::exchange(m_layer, layer) == layer) return;
    const auto words = std::find_if(std::begin(Layers), std::end(Layers), [layer](const LayerWords& other) { return other.layer == layer; });
    m_layers->setCurrentIndex(static_cast<int>(words - std::begin(Layers)));
    m_tiles.forget();
    m_wholeKnown = false;
    for (Panel& panel : m_panels) panel.cells->forget();
    refresh();
}

void MapPlot::setMarked(const std::optional<Extent>& part) {
    if (std::exchange(m_marked, part) == part) return;
    canvas()->replot(QCustomPlot::rpQueuedReplot);
}

void MapPlot::zoomToRow(int64_t row) {
    const Extent all = whole();
    view().lookAt(m_panels[0].x, QCPRange(-0.5, static_cast<double>(all.columns) - 0.5), m_panels[0].y,
                  QCPRange(static_cast<double>(row - Neighbours) - 0.5, static_cast<double>(row + Neighbours) + 0.5));
    setMarked(Extent{.row = row, .column = 0, .rows = 1, .columns = all.columns});
}

void MapPlot::zoomToColumn(int64_t column) {
    const Extent all = whole();
    view().lookAt(m_panels[0].x, QCPRange(static_cast<double>(column - Neighbours) - 0.5, static_cast<double>(column + Neighbours) + 0.5), m_panels[0].y,
                  QCPRange(-0.5, static_cast<double>(all.rows) - 0.5));
    setMarked(Extent{.row = 0, .column = column, .rows = all.rows, .columns = 1});
}

void MapPlot::rebuild() {
    const Extent all = whole();
    for (Panel& panel : m_panels) {
        view().setWhole(panel.x, QCPRange(-0.5, std::max<double>(1, static_cast<double>(all.columns)) - 0.5), true);
        view().setWhole(panel.y, QCPRange(-0.5, std::max<double>(1, static_cast<double>(all.rows)) - 0.5), true);
    }
    for (size_t i = 0; i < m_slides.size(); ++i) m_panels[i].cells->setGroups(m_slides[i].weight->facts().group_rows, m_slides[i].weight->facts().group_columns);
    fitLabels();
    m_request.start();
}

/// Titles and numbers along the axes that have room for them.
void MapPlot::fitLabels() {
    const int width = (canvas()->width() - 90) / std::max(1, static_cast<int>(m_slides.size())) - 50, height = canvas()->height() - 70;  // less what stands around
    for (size_t i = 0; i < m_panels.size(); ++i) {
        QCPAxis* title = m_panels[i].rect->axis(QCPAxis::atTop);
        title->setLabel(i < m_slides.size() ? titleOf(m_slides[i], QFontMetrics(title->labelFont()), std::max(60, width)) : QString());
        m_panels[i].x->setTicker(QSharedPointer<IndexTicker>::create(QStringList(), std::clamp(width / 48, 2, 12)));
        m_panels[i].y->setTicker(QSharedPointer<IndexTicker>::create(QStringList(), std::clamp(height / 24, 2, 12)));
    }
}

void MapPlot::requestTiles() {
    if (m_slides.empty() || !isVisible()) return;
    const Extent part = seen();
    const QSize size = m_panels[0].rect->size();
    const auto work = [slides = m_slides, layer = m_layer, part, all = whole(), wholeKnown = m_wholeKnown, rows = std::max(16, size.height()),
                       columns = std::max(16, size.width())] {
        Tiles tiles{.part = part, .inSight = {}, .whole = {}};
        for (const Slide& slide : slides) {
            tiles.inSight.push_back(slide.weight->map(layer, part, rows, columns));
            if (!wholeKnown) tiles.whole.push_back(part == all ? tiles.inSight.back() : slide.weight->map(layer, all, rows, columns));
        }
        return tiles;
    };
    m_tiles.ask(work, [this](Outcome<Tiles> outcome) {
        if (outcome.value) takeTiles(std::move(*outcome.value));
    });
}

void MapPlot::takeTiles(Tiles tiles) {
    m_wholeKnown = m_wholeKnown || !tiles.whole.empty();
    for (size_t i = 0; i < tiles.whole.size(); ++i) m_panels[i].cells->setWhole(std::move(tiles.whole[i]));
    for (size_t i = 0; i < tiles.inSight.size(); ++i) {
        MapCells* cells = m_panels[i].cells;
        cells->setDetail(std::move(tiles.inSight[i]));
        cells->setRing(m_layer == WeightLayer::Error ? cells->largest() : std::nullopt);
    }
    recolour();
    canvas()->replot(QCustomPlot::rpQueuedReplot);
    if (tiles.part == seen()) Q_EMIT tilesArrived();
}

void MapPlot::recolour() {
    const bool scales = m_layer == WeightLayer::Scale;
    double reach = 0;
    const bool inSight = m_reach->currentIndex() == 1;
    for (size_t i = 0; i < m_slides.size(); ++i) {
        const MapCells* cells = m_panels[i].cells;
        const bool known = !cells->whole().values.empty();
        reach = std::max(reach, static_cast<double>(largestMagnitude(inSight || !known ? cells->detail() : cells->whole())));
    }
    if (reach == 0) reach = 1;
    const MapColours colours{.gradient = scales ? viridis() : diverging(theme()), .low = scales ? 0 : -reach, .high = reach, .magnitudes = scales, .notANumber = theme().warning};
    for (Panel& panel : m_panels) panel.cells->setColours(colours);
    m_scale->setGradient(colours.gradient);
    m_scale->setDataRange(QCPRange(colours.low, colours.high));
    const auto words = std::find_if(std::begin(Layers), std::end(Layers), [this](const LayerWords& other) { return other.layer == m_layer; });
    m_scale->axis()->setLabel(tr(words->unit));
}

std::optional<MapPlot::Place> MapPlot::placeOf(int spot) const {
    int64_t rest = spot;
    for (size_t i = 0; spot >= 0 && i < m_slides.size(); ++i) {
        const auto count = static_cast<int64_t>(m_panels[i].cells->detail().values.size());
        if (rest < count) return Place{i, rest};
        rest -= count;
    }
    return {};
}

int MapPlot::spotAt(const QPointF& pixel) const {
    int64_t before = 0;
    for (size_t i = 0; i < m_slides.size(); ++i) {
        const Panel& panel = m_panels[i];
        const MapTile& tile = panel.cells->detail();
        const auto row = static_cast<int64_t>(std::lround(panel.y->pixelToCoord(pixel.y()))), column = static_cast<int64_t>(std::lround(panel.x->pixelToCoord(pixel.x())));
        if (const auto cell = cellAt(tile, row, column); cell && panel.rect->rect().contains(pixel.toPoint())) return static_cast<int>(before + *cell);
        before += static_cast<int64_t>(tile.values.size());
    }
    return -1;
}

QRectF MapPlot::boxOf(int spot) const {
    const std::optional<Place> place = placeOf(spot);
    if (!place) return {};
    const Panel& panel = m_panels[place->panel];
    return panel.cells->boxOf(extentOf(panel.cells->detail(), place->cell)).adjusted(-1, -1, 1, 1) & QRectF(panel.rect->rect());
}

float MapPlot::valueOf(const Slide& slide, WeightLayer layer, int64_t row, int64_t column) {
    const MapTile one = slide.weight->map(layer, {.row = row, .column = column, .rows = 1, .columns = 1}, 1, 1);
    return one.values.empty() ? 0 : one.values.front();
}

QString MapPlot::readoutOf(int spot) const {
    const std::optional<Place> place = placeOf(spot);
    if (!place) return {};
    const MapTile& tile = m_panels[place->panel].cells->detail();
    const Extent at = extentOf(tile, place->cell);
    const QString where = tr("%1\nRow %2, column %3").arg(m_slides[place->panel].name(), rangeText(at.row, at.rows), rangeText(at.column, at.columns));
    const float value = tile.values[static_cast<size_t>(place->cell)];
    if (at.rows > 1 || at.columns > 1)
        return tr("%1\n%2 of largest magnitude here: %3").arg(where, m_scale->axis()->label(), formatExact(value));
    const Slide& slide = m_slides[place->panel];
    const auto text = [&](WeightLayer layer) { return formatExact(valueOf(slide, layer, at.row, at.column)); };
    return tr("%1\nW %2\nWq %3\nW − Wq %4\nScale %5").arg(where, text(WeightLayer::Weight), text(WeightLayer::Quantized), text(WeightLayer::Error), text(WeightLayer::Scale));
}

bool MapPlot::clicked(const QPointF& pixel) {
    const std::optional<Place> place = placeOf(spotAt(pixel));
    if (!place) return false;
    const Extent at = extentOf(m_panels[place->panel].cells->detail(), place->cell);
    Q_EMIT valueClicked(at.row, at.column);
    return true;
}

int MapPlot::spotBeside(int spot, int columns, int rows) const {
    const std::optional<Place> place = placeOf(spot);
    if (!place) return m_slides.empty() || m_panels[0].cells->detail().values.empty() ? -1 : 0;
    const MapTile& tile = m_panels[place->panel].cells->detail();
    const int64_t row = std::clamp<int64_t>(place->cell / tile.columns + rows, 0, tile.rows - 1);
    const int64_t column = std::clamp<int64_t>(place->cell % tile.columns + columns, 0, tile.columns - 1);
    return spot + static_cast<int>(row * tile.columns + column - place->cell);
}

std::vector<QRectF> MapPlot::selectionBoxes() const {
    std::vector<QRectF> boxes;
    for (size_t i = 0; m_marked && i < m_slides.size(); ++i)
        if (const QRectF box = m_panels[i].cells->boxOf(*m_marked).adjusted(-1, -1, 1, 1) & QRectF(m_panels[i].rect->rect()); !box.isEmpty()) boxes.push_back(box);
    return boxes;
}

PlotTable MapPlot::table() const {
    const std::optional<Place> pointed = placeOf(pointedSpot());
    const size_t panel = pointed ? pointed->panel : 0;
    PlotTable table{.header = {tr("Row"), tr("Column"), tr("Rows"), tr("Columns"), m_scale->axis()->label()}, .rows = {}};
    if (m_slides.empty()) return table;
    const MapTile& tile = m_panels[panel].cells->detail();
    for (size_t i = 0; i < tile.values.size(); ++i) {
        const Extent at = extentOf(tile, static_cast<int64_t>(i));
        table.rows << QStringList{PlotTable::cell(at.row), PlotTable::cell(at.column), PlotTable::cell(at.rows), PlotTable::cell(at.columns),
                                  PlotTable::cell(static_cast<double>(tile.values[i]))};
    }
    return table;
}

PlotTable MapPlot::wholeTable() const {
    PlotTable table{.header = {tr("Form"), tr("Row"), tr("Column"), tr("Rows"), tr("Columns"), tr("%1, of largest magnitude").arg(m_scale->axis()->label())}, .rows = {}};
    for (size_t i = 0; i < m_slides.size(); ++i) {
        const MapTile& tile = m_panels[i].cells->detail();
        for (size_t cell = 0; cell < tile.values.size(); ++cell) {
            const Extent at = extentOf(tile, static_cast<int64_t>(cell));
            table.rows << QStringList{m_slides[i].name(), PlotTable::cell(at.row), PlotTable::cell(at.column), PlotTable::cell(at.rows), PlotTable::cell(at.columns),
                                      PlotTable::cell(static_cast<double>(tile.values[cell]))};
        }
    }
    return table;
}

void MapPlot::resizeEvent(QResizeEvent* event) {
    Plot::resizeEvent(event);
    fitLabels();
    m_request.start();
}

void MapPlot::showEvent(QShowEvent* event) {
    Plot::showEvent(event);
    m_request.start();
}

}  // namespace calibench
