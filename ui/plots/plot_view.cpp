#include "ui/plots/plot_view.h"

#include <QApplication>
#include <QMouseEvent>
#include <QWheelEvent>

#include <algorithm>
#include <chrono>
#include <utility>

namespace calibench {

using namespace std::chrono_literals;

namespace {

constexpr int SmallestBand = 8;        ///< pixels: a thinner rubber band leaves that direction as it is
constexpr double SmallestPart = 1e-5;  ///< of a bounded axis: ten iterations in a million

}  // namespace

PlotView::PlotView(QCustomPlot* canvas) : QObject(canvas), m_canvas(canvas) {
    canvas->setInteractions(QCP::iRangeDrag | QCP::iRangeZoom);
    canvas->setNoAntialiasingOnDrag(true);
    canvas->setMouseTracking(true);
    m_wheelPause.setSingleShot(true);
    m_wheelPause.setInterval(400ms);
    connect(&m_wheelPause, &QTimer::timeout, this, &PlotView::endChange);
    connect(canvas, &QCustomPlot::mousePress, this, &PlotView::pressed);
    connect(canvas, &QCustomPlot::mouseMove, this, &PlotView::moved);
    connect(canvas, &QCustomPlot::mouseRelease, this, &PlotView::released);
    connect(canvas, &QCustomPlot::mouseWheel, this, &PlotView::wheeled);
    connect(canvas->selectionRect(), &QCPSelectionRect::accepted, this, &PlotView::zoomInto);
}

void PlotView::addPanel(QCPAxisRect* panel, Qt::Orientations wheel) {
    m_panels << panel;
    m_wheel[panel] = wheel;
    for (QCPAxis* axis : panel->axes()) {  // made outside of the plot's layout, a panel has them on its current layer
        axis->setLayer(QStringLiteral("axes"));
        axis->grid()->setLayer(QStringLiteral("grid"));
    }
    for (const auto side : {QCPAxis::atBottom, QCPAxis::atLeft}) {
        QCPAxis* axis = panel->axis(side);
        connect(axis, qOverload<const QCPRange&>(&QCPAxis::rangeChanged), this, [this, axis](const QCPRange& range) { keepWithin(axis, range); });
    }
}

QList<QCPAxis*> PlotView::axes() const {
    QList<QCPAxis*> all;
    for (QCPAxisRect* panel : m_panels) all << panel->axis(QCPAxis::atBottom) << panel->axis(QCPAxis::atLeft);
    return all;
}

QCPAxisRect* PlotView::panelOfKeys() const {
    const auto visible = std::find_if(m_panels.rbegin(), m_panels.rend(), [](const QCPAxisRect* panel) { return panel->visible(); });
    return visible == m_panels.rend() ? m_panels.last() : *visible;
}

void PlotView::setWhole(QCPAxis* axis, const QCPRange& whole, bool bounded) {
    if (bounded)
        m_bounds[axis] = whole;
    else
        m_bounds.remove(axis);
    if (following()) axis->setRange(whole);
}

void PlotView::redefine(QCPAxis* axis, const QCPRange& whole) {
    m_history.replace(static_cast<size_t>(axes().indexOf(axis)), whole);
    axis->setRange(whole);
}

void PlotView::keepWithin(QCPAxis* axis, const QCPRange& range) {
    const auto bounds = m_bounds.constFind(axis);
    if (bounds == m_bounds.constEnd()) return;
    QCPRange kept = range;
    if (const double least = SmallestPart * bounds->size(); kept.size() < least) kept = QCPRange(kept.center() - least / 2, kept.center() + least / 2);
    kept = kept.bounded(bounds->lower, bounds->upper);
    if (kept != range) axis->setRange(kept);
}

void PlotView::pressed(const QMouseEvent* event) {
    endChange();  // what the wheel did a moment ago is a view of its own
    m_dragged = false;
    m_pressedAt = event->position();
    const bool band = m_zoomTool || event->modifiers().testFlag(Qt::ShiftModifier);
    m_canvas->setSelectionRectMode(band && event->button() == Qt::LeftButton ? QCP::srmCustom : QCP::srmNone);
}

void PlotView::moved(const QMouseEvent* event) {
    if (!event->buttons().testFlag(Qt::LeftButton)) return;
    if (!m_dragged && (event->position() - m_pressedAt).manhattanLength() < QApplication::startDragDistance()) return;
    m_dragged = true;
    if (m_canvas->selectionRectMode() == QCP::srmNone) beginChange();
}

void PlotView::released() {
    if (m_dragged && m_canvas->selectionRectMode() == QCP::srmNone) endChange();
}

void PlotView::wheeled(const QWheelEvent* event) {
    // Sent before the panel turns the wheel into a zoom: over the scale of the values, or with Ctrl, it zooms the values.
    for (QCPAxisRect* panel : m_panels) {
        const bool overValues = panel->outerRect().contains(event->position().toPoint()) && event->position().x() < panel->left();
        const bool values = overValues || event->modifiers().testFlag(Qt::ControlModifier);
        panel->setRangeZoom(values ? Qt::Orientations(Qt::Vertical) : m_wheel[panel]);
        if (values) panel->setRangeDrag(Qt::Horizontal | Qt::Vertical);
    }
    beginChange();
    m_wheelPause.start();
}

void PlotView::zoomInto(const QRect& band) {
    for (QCPAxisRect* panel : m_panels) {
        const QRect inside = band.normalized() & panel->rect();
        if (!panel->visible() || inside.isEmpty() || !panel->rect().contains(m_pressedAt.toPoint())) continue;
        QList<QCPAxis*> affected;
        if (inside.width() >= SmallestBand) affected << panel->axis(QCPAxis::atBottom);
        if (inside.height() >= SmallestBand) affected << panel->axis(QCPAxis::atLeft);
        if (affected.isEmpty()) continue;
        beginChange();
        panel->zoom(inside, affected);
        panel->setRangeDrag(Qt::Horizontal | Qt::Vertical);
        endChange();
        m_canvas->replot(QCustomPlot::rpQueuedReplot);
    }
}

void PlotView::beginChange() {
    if (m_changing) return;
    m_changing = true;
    Q_EMIT changed();
}

void PlotView::endChange() {
    m_wheelPause.stop();
    if (!std::exchange(m_changing, false)) return;
    m_history.visit(seen());
    Q_EMIT changed();
}

View PlotView::seen() const {
    View view{.whole = false, .ranges = {}};
    for (const QCPAxis* axis : axes()) view.ranges.push_back(axis->range());
    return view;
}

void PlotView::show(const View& view) {
    if (!view.whole) {
        const QList<QCPAxis*> all = axes();
        for (size_t i = 0; i < view.ranges.size(); ++i) all[static_cast<qsizetype>(i)]->setRange(view.ranges[i]);
    }
    Q_EMIT changed();
}

void PlotView::showWhole() {
    endChange();
    for (QCPAxisRect* panel : m_panels) panel->setRangeDrag(m_wheel[panel]);
    m_history.visit({});
    Q_EMIT changed();
}

void PlotView::lookAt(QCPAxis* x, const QCPRange& columns, QCPAxis* y, const QCPRange& rows) {
    endChange();
    beginChange();
    x->setRange(columns);
    y->setRange(rows);
    endChange();
    m_canvas->replot(QCustomPlot::rpQueuedReplot);
}

void PlotView::back() {
    endChange();
    show(m_history.back());
}

void PlotView::forward() {
    endChange();
    show(m_history.forward());
}

void PlotView::forget() {
    m_wheelPause.stop();
    m_changing = false;
    for (QCPAxisRect* panel : m_panels) panel->setRangeDrag(m_wheel[panel]);
    m_history.clear();
    Q_EMIT changed();
}

void PlotView::zoom(double factor) {
    QCPAxisRect* panel = panelOfKeys();
    beginChange();
    panel->axis(QCPAxis::atBottom)->scaleRange(factor);
    if (m_wheel[panel].testFlag(Qt::Vertical)) panel->axis(QCPAxis::atLeft)->scaleRange(factor);
    endChange();
    m_canvas->replot(QCustomPlot::rpQueuedReplot);
}

void PlotView::pan(double part, Qt::Orientation direction) {
    QCPAxisRect* panel = panelOfKeys();
    if (!m_wheel[panel].testFlag(direction)) return;
    QCPAxis* axis = panel->axis(direction == Qt::Horizontal ? QCPAxis::atBottom : QCPAxis::atLeft);
    const bool upwards = direction == Qt::Vertical && !axis->rangeReversed();
    beginChange();
    axis->moveRange((upwards ? -part : part) * axis->range().size());
    endChange();
    m_canvas->replot(QCustomPlot::rpQueuedReplot);
}

}  // namespace calibench
