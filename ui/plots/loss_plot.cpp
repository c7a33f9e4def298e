#include "ui/plots/loss_plot.h"

#include <QComboBox>

#include <algorithm>
#include <cmath>

#include "ui/format.h"
#include "ui/plots/loss_curves.h"
#include "ui/plots/loss_strip.h"
#include "ui/plots/plot_view.h"
#include "ui/plots/scales.h"
#include "ui/plots/series_painter.h"
#include "ui/run_log.h"

namespace calibench {

namespace {

/// The range of an axis with a little air; nothing when there is no value to show.
std::optional<QCPRange> padded(const SeriesStore::Extent& extent, bool logarithmic) {
    if (!logarithmic) {
        if (extent.low > extent.high) return {};
        const double air = extent.high > extent.low ? 0.05 * (extent.high - extent.low) : std::max(std::abs(extent.high) * 0.1, 1e-300);
        return QCPRange(extent.low - air, extent.high + air);
    }
    if (extent.lowPositive > extent.high) return {};
    const double air = std::max(std::pow(extent.high / extent.lowPositive, 0.06), 1.01);
    return QCPRange(extent.lowPositive / air, extent.high * air);
}

void addTo(SeriesStore::Extent& extent, double value) {
    if (std::isfinite(value)) extent.include({value, value, value > 0 ? value : std::numeric_limits<double>::infinity()});
}

}  // namespace

LossPlot::LossPlot(const RunRecord& record, QWidget* parent) : Plot(parent), m_record(record), m_scale(new QComboBox) {
    canvas()->setAccessibleName(tr("Loss of tuning, one iteration after another"));
    setAccessibleName(tr("Loss"));
    makePanels();
    m_scale->addItems({tr("Logarithmic"), tr("Linear")});
    m_scale->setToolTip(tr("How the scale of the losses is divided"));
    connect(m_scale, &QComboBox::currentIndexChanged, this, [this](int index) { setScale(index == 0); });
    addOption(tr("Scale"), m_scale);
    setScale(true);
    applyTheme();
}

void LossPlot::makePanels() {
    QCustomPlot* plot = canvas();
    m_strip = new QCPAxisRect(plot);
    m_main = new QCPAxisRect(plot);
    plot->plotLayout()->addElement(0, 0, m_strip);
    plot->plotLayout()->addElement(1, 0, m_main);
    plot->plotLayout()->setRowStretchFactor(1, 2.6);
    auto* margins = new QCPMarginGroup(plot);
    for (QCPAxisRect* rect : {m_strip, m_main}) {
        rect->setMarginGroup(QCP::msLeft | QCP::msRight, margins);
        rect->setRangeDrag(Qt::Horizontal);
        rect->setMinimumMargins(QMargins(12, 8, 15, 4));
        rect->axis(QCPAxis::atBottom)->setTicker(QSharedPointer<IndexTicker>::create());
        view().addPanel(rect);
    }
    m_strip->axis(QCPAxis::atBottom)->setLabel(tr("Block"));
    m_strip->axis(QCPAxis::atLeft)->setLabel(tr("First, best"));
    m_main->axis(QCPAxis::atBottom)->setLabel(tr("Iteration"));
    m_dumbbells = new LossStrip(m_record, m_strip->axis(QCPAxis::atBottom), m_strip->axis(QCPAxis::atLeft));
    m_curves = new LossCurves(m_record, m_main->axis(QCPAxis::atBottom), m_main->axis(QCPAxis::atLeft));
}

void LossPlot::setScale(bool logarithmic) {
    m_logarithmic = logarithmic;
    m_fitValues = true;
    for (QCPAxisRect* rect : {m_strip, m_main}) {
        QCPAxis* axis = rect->axis(QCPAxis::atLeft);
        axis->setScaleType(logarithmic ? QCPAxis::stLogarithmic : QCPAxis::stLinear);
        if (logarithmic)
            axis->setTicker(QSharedPointer<LogTicker>::create());
        else
            axis->setTicker(QSharedPointer<NumberTicker>::create());
    }
    refresh();
}

void LossPlot::restyle(const PlotTheme& theme) {
    m_dumbbells->setTheme(theme);
    m_curves->setTheme(theme);
}

void LossPlot::applySnapshot(const RunSnapshot& snapshot) {
    if (!snapshot.losses.empty() || !snapshot.blocksStarted.empty() || !snapshot.blocksFinished.empty() || !snapshot.blocksRedone.empty() || snapshot.started)
        refresh();
}

void LossPlot::showBlock(int block) {
    m_pinnedBlock = block;
    offerToFollow();
    refresh();
}

void LossPlot::selectionChanged() {
    if (const int block = m_record.blockOf(selectedModule().toStdString()); block >= 0) showBlock(block);
}

int LossPlot::shownBlock() const {
    const auto& blocks = m_record.blocks();
    if (m_pinnedBlock >= 0 && m_pinnedBlock < numBlocks() && !blocks[static_cast<size_t>(m_pinnedBlock)].attempts.empty()) return m_pinnedBlock;
    for (int block = numBlocks() - 1; block >= 0; --block)  // the newest that has a curve
        if (!blocks[static_cast<size_t>(block)].losses().empty()) return block;
    return -1;
}

const std::vector<AttemptRecord>& LossPlot::attempts() const {
    static const std::vector<AttemptRecord> none;
    const int shown = shownBlock();
    return shown < 0 ? none : m_record.blocks()[static_cast<size_t>(shown)].attempts;
}

void LossPlot::rebuild() {
    rebuildMain();
    rebuildStrip();
    m_fitValues = false;
}

void LossPlot::rebuildMain() {
    const auto& blocks = m_record.blocks();
    const int shown = shownBlock();
    m_curves->showBlock(shown);
    double last = m_record.started() ? static_cast<double>(m_record.started()->iters) : 1;
    SeriesStore::Extent own, others;
    for (int i = 0; i < numBlocks(); ++i) {
        const BlockRecord& block = blocks[static_cast<size_t>(i)];
        if (block.attempts.empty()) continue;
        for (const AttemptRecord& tried : block.attempts)
            if (i == shown && !tried.losses.empty()) {
                own.include(tried.losses.extent());
                last = std::max(last, tried.losses.points().back().x);
            }
        if (i == shown || block.losses().empty()) continue;
        others.include(block.losses().extent());
        last = std::max(last, block.losses().points().back().x);
    }
    view().setWhole(m_main->axis(QCPAxis::atBottom), QCPRange(0, std::max(1.0, last)), true);

    // The other blocks come into sight as far as they do not squeeze the one that matters.
    if (own.high >= own.low) {
        const double half = 0.5 * (own.high - own.low), roof = m_logarithmic ? 2 * own.high : own.high + half;
        own.low = std::min(own.low, std::max(others.low, own.low - half));
        own.lowPositive = std::min(own.lowPositive, std::max(others.lowPositive, own.lowPositive / 2));
        own.high = std::max(own.high, std::min(others.high, roof));
    }
    if (const auto range = padded(own, m_logarithmic)) {
        view().setWhole(m_main->axis(QCPAxis::atLeft), *range, false);
        if (m_fitValues) view().redefine(m_main->axis(QCPAxis::atLeft), *range);
    }
    const bool stillTuning = shown >= 0 && blocks[static_cast<size_t>(shown)].state == BlockRecord::State::Tuning;
    m_main->axis(QCPAxis::atLeft)->setLabel(shown < 0     ? tr("Loss (mean squared error)")
                                            : stillTuning ? tr("Loss of block %1, at work").arg(shown)
                                                          : tr("Loss of block %1").arg(shown));
}

void LossPlot::rebuildStrip() {
    SeriesStore::Extent extent;
    for (const BlockRecord& block : m_record.blocks())
        if (const auto pair = LossStrip::pairOf(block)) {
            addTo(extent, pair->first);
            addTo(extent, pair->best);
        }
    if (extent.high >= extent.low) {  // room for the dots themselves
        const double air = 0.12 * (extent.high - extent.low);
        addTo(extent, extent.high + air);
        if (extent.lowPositive <= extent.high) addTo(extent, extent.lowPositive / std::pow(extent.high / extent.lowPositive, 0.12));
    }
    view().setWhole(m_strip->axis(QCPAxis::atBottom), QCPRange(-0.5, std::max(1, numBlocks()) - 0.5), true);
    if (const auto range = padded(extent, m_logarithmic)) {
        view().setWhole(m_strip->axis(QCPAxis::atLeft), *range, false);
        if (m_fitValues) view().redefine(m_strip->axis(QCPAxis::atLeft), *range);
    }
}

LossPlot::Place LossPlot::placeOf(int spot) const {
    if (spot < 0) return {};
    if (spot < numBlocks()) return {.block = spot};
    auto index = static_cast<size_t>(spot - numBlocks());
    for (size_t i = 0; i < attempts().size(); ++i) {
        const size_t size = attempts()[i].losses.size();
        if (index < size) return {.block = shownBlock(), .attempt = static_cast<int>(i), .index = index};
        index -= size;
    }
    return {};
}

int LossPlot::spotOf(const Place& place) const {
    if (place.attempt < 0) return place.block;
    size_t before = place.index;
    for (int i = 0; i < place.attempt; ++i) before += attempts()[static_cast<size_t>(i)].losses.size();
    return numBlocks() + static_cast<int>(before);
}

int LossPlot::spotAt(const QPointF& pixel) const {
    if (m_main->rect().contains(pixel.toPoint())) return nearestIteration(pixel);
    if (!m_strip->rect().contains(pixel.toPoint())) return -1;
    const auto block = static_cast<int>(std::lround(m_strip->axis(QCPAxis::atBottom)->pixelToCoord(pixel.x())));
    return block >= 0 && block < numBlocks() ? block : -1;
}

int LossPlot::nearestIteration(const QPointF& pixel) const {
    const QCPAxis *x = m_main->axis(QCPAxis::atBottom), *y = m_main->axis(QCPAxis::atLeft);
    Place nearest;
    double distance = std::numeric_limits<double>::infinity();
    for (int i = 0; i < static_cast<int>(attempts().size()); ++i) {
        const SeriesStore& losses = attempts()[static_cast<size_t>(i)].losses;
        if (losses.empty()) continue;
        const size_t index = losses.nearest(x->pixelToCoord(pixel.x()));
        const SeriesPoint& point = losses.points()[index];
        const double height = drawable(point.y, y) ? std::abs(y->coordToPixel(point.y) - pixel.y()) : 1e6;
        const double away = height + std::abs(x->coordToPixel(point.x) - pixel.x());
        if (away >= distance) continue;
        distance = away;
        nearest = {.block = shownBlock(), .attempt = i, .index = index};
    }
    return nearest.attempt < 0 ? -1 : spotOf(nearest);
}

QRectF LossPlot::boxOf(int spot) const {
    const Place place = placeOf(spot);
    if (place.block < 0) return {};
    if (place.attempt < 0) {
        const QCPAxis* x = m_strip->axis(QCPAxis::atBottom);
        const QRectF box(x->coordToPixel(place.block - 0.5), m_strip->top(), x->coordToPixel(1) - x->coordToPixel(0), m_strip->height());
        return box & QRectF(m_strip->rect());
    }
    const SeriesPoint& point = attempts()[static_cast<size_t>(place.attempt)].losses.points()[place.index];
    const QCPAxis *x = m_main->axis(QCPAxis::atBottom), *y = m_main->axis(QCPAxis::atLeft);
    if (!x->range().contains(point.x)) return {};
    const double height = drawable(point.y, y) ? y->coordToPixel(point.y) : m_main->top() + 6.0;
    return QRectF(x->coordToPixel(point.x) - 5, std::clamp(height, m_main->top() + 0.0, m_main->bottom() + 0.0) - 5, 10, 10);
}

QString LossPlot::readoutOf(int spot) const {
    const Place place = placeOf(spot);
    if (place.block < 0) return {};
    if (place.attempt < 0) return stripReadout(place.block);
    const AttemptRecord& tried = attempts()[static_cast<size_t>(place.attempt)];
    const SeriesPoint& point = tried.losses.points()[place.index];
    QString head = tr("Block %1, iteration %2").arg(place.block).arg(formatCount(static_cast<int64_t>(point.x)));
    if (attempts().size() > 1) head = tr("%1, attempt %2").arg(head).arg(place.attempt + 1);
    QString text = tr("%1\nLoss %2").arg(head, formatExact(point.y));
    if (tried.best && tried.best->x != point.x)
        text += tr("\nBest %1 at iteration %2").arg(formatExact(tried.best->y), formatCount(static_cast<int64_t>(tried.best->x)));
    else if (tried.best)
        text += tr("\nThe best of this attempt");
    return text;
}

QString LossPlot::stripReadout(int index) const {
    const BlockRecord& block = m_record.blocks()[static_cast<size_t>(index)];
    if (block.losses().empty() || !block.best()) return tr("Block %1\nNot tuned").arg(index);
    const double first = block.losses().points().front().y;
    const SeriesPoint best = *block.best();
    QString text = tr("Block %1\nFirst iteration: %2\nBest: %3 at iteration %4")
                       .arg(index)
                       .arg(formatExact(first), formatExact(best.y), formatCount(static_cast<int64_t>(best.x)));
    if (const QString change = lossChange(first, best.y); !change.isEmpty()) text += tr(" (%1)").arg(change);
    if (block.attempts.size() > 1)
        text += block.result ? tr("\n%1 attempts, number %2 kept").arg(block.attempts.size()).arg(block.counted() + 1)
                             : tr("\n%1 attempts").arg(block.attempts.size());
    return text;
}

QString LossPlot::moduleOf(int spot) const {
    const Place place = placeOf(spot);
    return place.block < 0 ? QString() : QString::fromStdString(m_record.blocks()[static_cast<size_t>(place.block)].name);
}

int LossPlot::spotBeside(int spot, int columns, int rows) const {
    Place place = placeOf(spot);
    if (place.block < 0) return attempts().empty() ? (numBlocks() > 0 ? 0 : -1) : spotOf({.block = shownBlock(), .attempt = static_cast<int>(attempts().size()) - 1});
    if (place.attempt < 0) {
        if (rows > 0 && !attempts().empty()) return numBlocks();
        return std::clamp(place.block + columns, 0, numBlocks() - 1);
    }
    if (columns != 0) {
        const auto last = static_cast<int64_t>(attempts()[static_cast<size_t>(place.attempt)].losses.size()) - 1;
        place.index = static_cast<size_t>(std::clamp<int64_t>(static_cast<int64_t>(place.index) + columns, 0, last));
        return spotOf(place);
    }
    const int attempt = place.attempt + rows;  // up leads to earlier attempts, and from the first one to the strip
    if (attempt < 0) return place.block;
    if (attempt >= static_cast<int>(attempts().size()) || attempts()[static_cast<size_t>(attempt)].losses.empty()) return spot;
    return spotOf({.block = place.block, .attempt = attempt, .index = std::min(place.index, attempts()[static_cast<size_t>(attempt)].losses.size() - 1)});
}

std::vector<QRectF> LossPlot::selectionBoxes() const {
    const int block = m_record.blockOf(selectedModule().toStdString());
    if (block < 0) return {};
    const QRectF box = boxOf(block);
    return box.isEmpty() ? std::vector<QRectF>() : std::vector<QRectF>{box};
}

QString LossPlot::note() const {
    if (!m_record.started() || shownBlock() >= 0) return {};
    return m_record.started()->iters > 0 ? tr("Losses will show here once the first block is tuned.")
                                         : tr("This run rounds to nearest. Nothing is tuned, so there is no loss to show.");
}

PlotTable LossPlot::table() const {
    const Place pointed = placeOf(pointedSpot());
    if (pointed.block >= 0 && pointed.attempt < 0) return stripTable();
    PlotTable table{.header = {tr("Block"), tr("Attempt"), tr("Iteration"), tr("Loss")}, .rows = {}};
    const QCPRange seen = m_main->axis(QCPAxis::atBottom)->range();
    for (size_t i = 0; i < attempts().size(); ++i)
        for (const SeriesPoint& point : attempts()[i].losses.points())
            if (seen.contains(point.x))
                table.rows << QStringList{QString::number(shownBlock()), QString::number(i + 1), PlotTable::cell(point.x), PlotTable::cell(point.y)};
    return table;
}

PlotTable LossPlot::wholeTable() const {
    PlotTable table{.header = {tr("Block"), tr("Attempt"), tr("Counts"), tr("Iteration"), tr("Loss (mean squared error)")}, .rows = {}};
    for (int i = 0; i < numBlocks(); ++i) {
        const BlockRecord& block = m_record.blocks()[static_cast<size_t>(i)];
        for (int attempt = 0; attempt < static_cast<int>(block.attempts.size()); ++attempt)
            for (const SeriesPoint& point : block.attempts[static_cast<size_t>(attempt)].losses.points())
                table.rows << QStringList{QString::number(i), QString::number(attempt + 1), attempt == block.counted() ? tr("yes") : tr("no"), PlotTable::cell(point.x), PlotTable::cell(point.y)};
    }
    return table;
}

PlotTable LossPlot::stripTable() const {
    PlotTable table{.header = {tr("Block"), tr("First loss"), tr("Best loss"), tr("Best iteration"), tr("Attempts"), tr("Attempt that counts")}, .rows = {}};
    const QCPRange seen = m_strip->axis(QCPAxis::atBottom)->range();
    for (int i = 0; i < numBlocks(); ++i) {
        const BlockRecord& block = m_record.blocks()[static_cast<size_t>(i)];
        if (!seen.contains(i) || block.losses().empty() || !block.best()) continue;
        table.rows << QStringList{QString::number(i), PlotTable::cell(block.losses().points().front().y), PlotTable::cell(block.best()->y),
                                  PlotTable::cell(block.best()->x), QString::number(block.attempts.size()), QString::number(block.counted() + 1)};
    }
    return table;
}

}  // namespace calibench
