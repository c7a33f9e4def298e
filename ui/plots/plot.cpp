#include "ui/plots/plot.h"

#include <QEvent>
#include <QToolButton>
#include <QToolTip>
#include <QVBoxLayout>

#include "ui/plots/qcustomplot.h"
#include "ui/theme.h"

namespace calibench {

Plot::Plot(QWidget* parent) : QWidget(parent), m_canvas(new QCustomPlot(this)), m_followButton(new QToolButton(this)) {
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->addWidget(m_canvas);

    m_canvas->setAutoAddPlottableToLegend(false);
    m_canvas->setInteractions(QCP::iRangeDrag | QCP::iRangeZoom);
    m_canvas->setMouseTracking(true);
    m_canvas->setNoAntialiasingOnDrag(true);

    m_followButton->setText(tr("Follow"));
    m_followButton->setIcon(symbolicIcon(QStringLiteral("follow")));
    m_followButton->setToolButtonStyle(Qt::ToolButtonTextBesideIcon);
    m_followButton->setToolTip(tr("Show all of it again and keep up with the run"));
    m_followButton->hide();
    connect(m_followButton, &QToolButton::clicked, this, &Plot::follow);

    connect(m_canvas, &QCustomPlot::mouseWheel, this, &Plot::stopFollowing);
    connect(m_canvas, &QCustomPlot::mousePress, this, [this] { m_dragged = false; });
    connect(m_canvas, &QCustomPlot::mouseMove, this, &Plot::hover);
    connect(m_canvas, &QCustomPlot::mouseDoubleClick, this, &Plot::follow);
    connect(m_canvas, &QCustomPlot::mouseRelease, this, [this](QMouseEvent* event) {
        if (m_dragged || event->button() != Qt::LeftButton) return;
        if (const QString module = moduleAt(event->position()); !module.isEmpty()) Q_EMIT moduleClicked(module);
    });
}

void Plot::applyTheme() {
    m_theme = PlotTheme::fromPalette(palette());
    m_theme.apply(m_canvas);
    restyle(m_theme);
    m_canvas->replot(QCustomPlot::rpQueuedReplot);
}

void Plot::refresh() {
    m_stale = true;
    if (isVisible()) rebuildNow();
}

void Plot::rebuildNow() {
    m_stale = false;
    rebuild();
    m_canvas->replot(QCustomPlot::rpQueuedReplot);
}

void Plot::follow() {
    m_following = true;
    followed();
    offerToFollow(false);
    refresh();
}

void Plot::stopFollowing() {
    m_following = false;
    offerToFollow(true);
}

void Plot::offerToFollow(bool offer) {
    m_followButton->setVisible(offer || !m_following);
    m_followButton->raise();
}

void Plot::hover(QMouseEvent* event) {
    if (event->buttons() & Qt::LeftButton) {
        m_dragged = true;
        stopFollowing();
        return;
    }
    const QString text = readoutAt(event->position());
    if (text.isEmpty())
        QToolTip::hideText();
    else
        QToolTip::showText(event->globalPosition().toPoint(), text, m_canvas);
}

void Plot::changeEvent(QEvent* event) {
    QWidget::changeEvent(event);
    if (event->type() != QEvent::PaletteChange || m_canvas->plotLayout()->elementCount() == 0) return;
    applyTheme();
    refresh();
}

void Plot::showEvent(QShowEvent* event) {
    QWidget::showEvent(event);
    if (m_stale) rebuildNow();
}

void Plot::resizeEvent(QResizeEvent* event) {
    QWidget::resizeEvent(event);
    const QSize size = m_followButton->sizeHint();
    m_followButton->setGeometry(width() - size.width() - 12, height() - size.height() - 48, size.width(), size.height());
}

}  // namespace calibench
