#include "ui/plots/loss_plot.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "ui/format.h"
#include "ui/plots/scales.h"

namespace calibench {

namespace {

/// A loss of zero has no place on a logarithmic axis; it is drawn at its foot, one decade below the smallest other.
bool drawable(double loss) { return std::isfinite(loss) && loss > 0; }

QCPScatterStyle dot(QCPScatterStyle::ScatterShape shape, const QColor& pen, const QColor& fill, double size) {
    return QCPScatterStyle(shape, QPen(pen, 1.5), QBrush(fill), size);
}

/// Range of a logarithmic axis with a little air.
QCPRange padded(double low, double high) {
    const double air = std::max(std::pow(high / low, 0.06), 1.01);
    return {low / air, high * air};
}

}  // namespace

LossPlot::LossPlot(const RunRecord& record, QWidget* parent) : Plot(parent), m_record(record) {
    setAccessibleName(tr("Loss of tuning"));
    QCustomPlot* plot = canvas();
    plot->plotLayout()->clear();
    m_strip = new QCPAxisRect(plot);
    m_main = new QCPAxisRect(plot);
    plot->plotLayout()->addElement(0, 0, m_strip);
    plot->plotLayout()->addElement(1, 0, m_main);
    plot->plotLayout()->setRowStretchFactor(1, 2.6);
    auto* margins = new QCPMarginGroup(plot);
    for (QCPAxisRect* rect : {m_strip, m_main}) {
        rect->setMarginGroup(QCP::msLeft | QCP::msRight, margins);
        rect->setRangeDrag(Qt::Horizontal);
        rect->setRangeZoom(Qt::Horizontal);
        rect->axis(QCPAxis::atLeft)->setScaleType(QCPAxis::stLogarithmic);
        rect->axis(QCPAxis::atLeft)->setTicker(QSharedPointer<LogTicker>::create());
        for (QCPAxis* axis : rect->axes()) {
            axis->setLayer(QStringLiteral("axes"));
            axis->grid()->setLayer(QStringLiteral("grid"));
        }
    }
    m_strip->axis(QCPAxis::atBottom)->setLabel(tr("Block"));
    m_strip->axis(QCPAxis::atBottom)->setTicker(QSharedPointer<IndexTicker>::create());
    m_strip->axis(QCPAxis::atLeft)->setLabel(tr("First, best"));
    m_main->axis(QCPAxis::atBottom)->setLabel(tr("Iteration"));
    m_main->axis(QCPAxis::atBottom)->setTicker(QSharedPointer<IndexTicker>::create());
    m_main->axis(QCPAxis::atLeft)->setLabel(tr("Loss (mean squared error)"));

    const auto addScatter = [plot](QCPAxisRect* rect) {
        QCPGraph* graph = plot->addGraph(rect->axis(QCPAxis::atBottom), rect->axis(QCPAxis::atLeft));
        graph->setLineStyle(QCPGraph::lsNone);
        graph->setLayer(QStringLiteral("overlay"));
        return graph;
    };
    m_initial = addScatter(m_strip);
    m_best = addScatter(m_strip);
    m_unimproved = addScatter(m_strip);
    m_bestPoint = addScatter(m_main);
    m_notFinite = addScatter(m_main);
    applyTheme();
}

void LossPlot::restyle(const PlotTheme& theme) {
    m_initial->setScatterStyle(dot(QCPScatterStyle::ssCircle, theme.muted, theme.background, 7));
    m_best->setScatterStyle(dot(QCPScatterStyle::ssCircle, theme.accent, theme.accent, 7));
    m_unimproved->setScatterStyle(dot(QCPScatterStyle::ssTriangle, theme.warning, theme.background, 10));
    m_bestPoint->setScatterStyle(dot(QCPScatterStyle::ssCircle, theme.text, theme.accent, 10));
    m_notFinite->setScatterStyle(dot(QCPScatterStyle::ssCross, theme.warning, theme.warning, 9));
    for (QCPGraph* handle : m_handles) handle->setPen(QPen(theme.muted, 2));
    QColor thin = theme.muted;
    thin.setAlpha(110);
    for (size_t i = 0; i < m_curves.size(); ++i) {
        const bool shown = static_cast<int>(i) == shownBlock();
        m_curves[i]->setPen(shown ? QPen(theme.accent, 2) : QPen(thin, 1));
        m_curves[i]->setLayer(shown ? QStringLiteral("overlay") : QStringLiteral("main"));
    }
}

void LossPlot::applySnapshot(const RunSnapshot& snapshot) {
    if (!snapshot.losses.empty() || !snapshot.blocksStarted.empty() || !snapshot.blocksFinished.empty() || snapshot.started) refresh();
}

void LossPlot::showBlock(int block) {
    m_pinnedBlock = block;
    offerToFollow(block >= 0);
    refresh();
}

int LossPlot::shownBlock() const {
    const auto& blocks = m_record.blocks();
    if (m_pinnedBlock >= 0 && static_cast<size_t>(m_pinnedBlock) < blocks.size() && !blocks[static_cast<size_t>(m_pinnedBlock)].losses().empty())
        return m_pinnedBlock;
    for (int block = static_cast<int>(blocks.size()) - 1; block >= 0; --block)  // the newest that has a curve
        if (!blocks[static_cast<size_t>(block)].losses().empty()) return block;
    return -1;
}

void LossPlot::rebuild() {
    QCustomPlot* plot = canvas();
    const size_t numBlocks = m_record.blocks().size();
    while (m_curves.size() > numBlocks) {
        plot->removeGraph(m_curves.back());
        plot->removeGraph(m_handles.back());
        m_curves.pop_back();
        m_handles.pop_back();
    }
    while (m_curves.size() < numBlocks) {
        m_curves.push_back(plot->addGraph(m_main->axis(QCPAxis::atBottom), m_main->axis(QCPAxis::atLeft)));
        m_handles.push_back(plot->addGraph(m_strip->axis(QCPAxis::atBottom), m_strip->axis(QCPAxis::atLeft)));
    }
    rebuildCurves();
    rebuildStrip();
    restyle(theme());
}

void LossPlot::rebuildCurves() {
    const auto& blocks = m_record.blocks();
    const int shown = shownBlock();
    QCPAxis* x = m_main->axis(QCPAxis::atBottom);
    if (following()) {
        double last = m_record.started() ? static_cast<double>(m_record.started()->iters) : 1;
        for (const BlockRecord& block : blocks)
            if (!block.losses().empty()) last = std::max(last, block.losses().points().back().x);
        x->setRange(0, std::max(1.0, last));
    }

    struct Span {
        double low = std::numeric_limits<double>::infinity(), high = 0;
        void add(double value) { low = std::min(low, value), high = std::max(high, value); }
    } own, others;
    QVector<double> badX;
    for (size_t i = 0; i < blocks.size(); ++i) {
        QVector<double> keys, values;
        for (const SeriesPoint& point : blocks[i].losses().decimated(x->range().lower, x->range().upper, std::max(m_main->width(), 200))) {
            const bool good = drawable(point.y);
            keys << point.x;
            values << (good ? point.y : std::numeric_limits<double>::quiet_NaN());
            const bool isShown = static_cast<int>(i) == shown;
            if (good) (isShown ? own : others).add(point.y);
            if (isShown && !good) badX << point.x;
        }
        m_curves[i]->setData(keys, values, true);
    }
    if (own.high > 0 && following()) {
        // The finished blocks come into sight as far as they do not squeeze the one that matters.
        const double low = std::min(own.low, std::max(others.low, own.low / 2)), high = std::max(own.high, std::min(others.high, own.high * 2));
        m_main->axis(QCPAxis::atLeft)->setRange(padded(low, high));
    }

    m_notFinite->setData(badX, QVector<double>(badX.size(), m_main->axis(QCPAxis::atLeft)->range().upper), true);
    m_bestPoint->data()->clear();
    if (shown >= 0)
        if (const auto best = blocks[static_cast<size_t>(shown)].best(); best && drawable(best->y)) m_bestPoint->addData(best->x, best->y);
    const bool stillTuning = shown >= 0 && blocks[static_cast<size_t>(shown)].state != BlockRecord::State::Done;
    m_main->axis(QCPAxis::atLeft)->setLabel(shown < 0     ? tr("Loss (mean squared error)")
                                            : stillTuning ? tr("Loss of block %1, at work").arg(shown)
                                                          : tr("Loss of block %1").arg(shown));
}

void LossPlot::rebuildStrip() {
    const auto& blocks = m_record.blocks();
    for (QCPGraph* graph : {m_initial, m_best, m_unimproved}) graph->data()->clear();
    double low = std::numeric_limits<double>::infinity(), high = 0;
    for (size_t i = 0; i < blocks.size(); ++i) {
        m_handles[i]->data()->clear();
        const BlockRecord& block = blocks[i];
        if (block.losses().empty() || !block.best()) continue;
        const double first = block.losses().points().front().y, best = block.best()->y, key = static_cast<double>(i);
        if (!drawable(first) || !drawable(best)) continue;
        m_initial->addData(key, first);
        (best < first || block.state != BlockRecord::State::Done ? m_best : m_unimproved)->addData(key, best);
        m_handles[i]->addData(key, first);
        m_handles[i]->addData(key, best);
        low = std::min({low, first, best});
        high = std::max({high, first, best});
    }
    if (!following()) return;
    m_strip->axis(QCPAxis::atBottom)->setRange(-0.5, std::max<double>(1, static_cast<double>(blocks.size())) - 0.5);
    if (high > 0) m_strip->axis(QCPAxis::atLeft)->setRange(padded(low, high));
}

QString LossPlot::readoutAt(const QPointF& pixel) const {
    if (m_strip->rect().contains(pixel.toPoint())) return stripReadout(pixel);
    if (m_main->rect().contains(pixel.toPoint())) return curveReadout(pixel);
    return {};
}

QString LossPlot::stripReadout(const QPointF& pixel) const {
    const auto index = static_cast<size_t>(std::max(0.0, std::round(m_strip->axis(QCPAxis::atBottom)->pixelToCoord(pixel.x()))));
    const auto& blocks = m_record.blocks();
    if (index >= blocks.size() || blocks[index].losses().empty() || !blocks[index].best()) return {};
    const BlockRecord& block = blocks[index];
    const double first = block.losses().points().front().y, best = block.best()->y;
    return tr("Block %1\nRound to nearest: %2\nBest: %3 at iteration %4 (%5 %)")
        .arg(index)
        .arg(formatExact(first), formatExact(best), formatCount(static_cast<int64_t>(block.best()->x)))
        .arg(first > 0 ? 100 * (best / first - 1) : 0, 0, 'f', 1);
}

QString LossPlot::curveReadout(const QPointF& pixel) const {
    const int shown = shownBlock();
    if (shown < 0) return {};
    const auto& points = m_record.blocks()[static_cast<size_t>(shown)].losses().points();
    const double x = m_main->axis(QCPAxis::atBottom)->pixelToCoord(pixel.x());
    auto nearest = std::lower_bound(points.begin(), points.end(), x, [](const SeriesPoint& point, double value) { return point.x < value; });
    if (nearest == points.end() || (nearest != points.begin() && x - std::prev(nearest)->x < nearest->x - x)) --nearest;
    return tr("Block %1, iteration %2\nLoss %3").arg(shown).arg(formatCount(static_cast<int64_t>(nearest->x)), formatExact(nearest->y));
}

}  // namespace calibench
