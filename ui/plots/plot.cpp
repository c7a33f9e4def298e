#include "ui/plots/plot.h"

#include <QAction>
#include <QApplication>
#include <QBuffer>
#include <QClipboard>
#include <QContextMenuEvent>
#include <QLabel>
#include <QMenu>
#include <QSvgGenerator>
#include <QToolButton>
#include <QToolTip>
#include <QVBoxLayout>

#include <utility>

#include "ui/command.h"
#include "ui/plots/plot_view.h"
#include "ui/plots/qcustomplot.h"
#include "ui/plots/spot_marks.h"
#include "ui/theme.h"

namespace calibench {

Plot::Plot(QWidget* parent)
    : QWidget(parent), m_canvas(new QCustomPlot(this)), m_view(new PlotView(m_canvas)), m_options(new QHBoxLayout) {
    m_marks = new SpotMarks(m_canvas, [this] {
        return SpotMarks::Marks{.selected = selectionBoxes(), .pointed = m_pointed < 0 ? QRectF() : boxOf(m_pointed), .note = note()};
    });
    m_canvas->setAutoAddPlottableToLegend(false);
    m_canvas->plotLayout()->clear();
    m_canvas->setFocusPolicy(Qt::StrongFocus);
    m_canvas->installEventFilter(this);
    m_canvas->setMinimumSize(200, 120);
    setFocusProxy(m_canvas);
    setAutoFillBackground(true);
    setBackgroundRole(QPalette::Base);

    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(0);
    m_options->setContentsMargins(12, 4, 8, 0);
    m_options->setSpacing(4);
    m_options->addStretch();
    layout->addLayout(m_options);
    layout->addWidget(m_canvas, 1);
    makeActions();

    connect(m_view, &PlotView::changed, this, &Plot::viewChanged);
    connect(m_canvas, &QCustomPlot::mouseMove, this, &Plot::hover);
    connect(m_canvas, &QCustomPlot::mouseRelease, this, &Plot::release);
    connect(m_canvas, &QCustomPlot::mouseDoubleClick, this, &Plot::follow);
    viewChanged();
}

void Plot::makeActions() {
    const auto make = [this](const char* icon, const QString& text, const QKeySequence& shortcut, const QString& help) {
        QAction* action = makeCommand({QLatin1String(icon), text, shortcut, help}, this);
        action->setShortcutContext(Qt::WidgetWithChildrenShortcut);
        addAction(action);
        return action;
    };
    m_follow = make("follow", tr("Follow"), {}, tr("Show all of it again and keep up with the run"));
    m_back = make("back", tr("Previous view"), Qt::ALT | Qt::Key_Left, tr("Back to what was shown before the last zoom or pan"));
    m_forward = make("forward", tr("Next view"), Qt::ALT | Qt::Key_Right, tr("Forward to the view that was gone back from"));
    m_whole = make("whole", tr("Whole plot"), Qt::Key_Home, tr("Show the whole plot, as a double click does"));
    m_zoom = make("zoom", tr("Zoom into a rectangle"), Qt::Key_Z, tr("Drag a rectangle to zoom into it, as with Shift held"));
    m_copyTable = make("copy", tr("Copy as table"), QKeySequence::Copy, tr("Copy the numbers in sight, with all digits and tabs between them"));
    m_copyPicture = make("picture", tr("Copy picture"), Qt::CTRL | Qt::SHIFT | Qt::Key_C, tr("Copy the plot as a picture"));
    m_zoom->setCheckable(true);
    // In the plot's own menu only: the window's menu bar, and so the command palette, has them for the plot that is looked at.
    m_savePicture = new QAction(tr("Save picture…"), this);
    m_saveNumbers = new QAction(tr("Save numbers…"), this);
    connect(m_savePicture, &QAction::triggered, this, &Plot::savePictureRequested);
    connect(m_saveNumbers, &QAction::triggered, this, &Plot::saveNumbersRequested);

    connect(m_follow, &QAction::triggered, this, &Plot::follow);
    connect(m_whole, &QAction::triggered, this, &Plot::follow);
    connect(m_back, &QAction::triggered, m_view, &PlotView::back);
    connect(m_forward, &QAction::triggered, m_view, &PlotView::forward);
    connect(m_zoom, &QAction::toggled, this, [this](bool on) {
        m_view->setZoomTool(on);
        m_canvas->setCursor(on ? Qt::CrossCursor : Qt::ArrowCursor);
    });
    connect(m_copyTable, &QAction::triggered, this, &Plot::copyTable);
    connect(m_copyPicture, &QAction::triggered, this, &Plot::copyPicture);
    for (QAction* action : {m_follow, m_back, m_forward, m_whole, m_zoom, m_copyTable}) {
        auto* button = new QToolButton;
        button->setDefaultAction(action);
        button->setAutoRaise(true);
        button->setIconSize({16, 16});
        button->setAccessibleName(action->text());
        if (action == m_follow) {
            button->setToolButtonStyle(Qt::ToolButtonTextBesideIcon);
            connect(action, &QAction::changed, button, [button, action] { button->setVisible(action->isVisible()); });
        }
        m_options->addWidget(button);
    }
}

QWidget* Plot::addOption(const QString& label, QWidget* widget) {
    auto* option = new QWidget;
    auto* row = new QHBoxLayout(option);
    row->setContentsMargins(0, 0, 12, 0);
    row->setSpacing(4);
    auto* text = new QLabel(label);
    text->setBuddy(widget);
    row->addWidget(text);
    row->addWidget(widget);
    if (widget->accessibleName().isEmpty()) widget->setAccessibleName(label);
    m_options->insertWidget(m_countOptions++, option);
    return option;
}

void Plot::applyTheme() {
    m_made = true;
    m_theme = PlotTheme::fromPalette(palette());
    m_theme.apply(m_canvas);
    m_marks->setTheme(m_theme);
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

bool Plot::following() const { return m_view->following(); }

void Plot::follow() {
    followed();
    m_view->showWhole();
}

void Plot::startOver() {
    m_pointed = -1;
    followed();
    m_view->forget();
}

void Plot::viewChanged() {
    m_back->setEnabled(m_view->canGoBack());
    m_forward->setEnabled(m_view->canGoForward());
    offerToFollow();
    if (following())
        refresh();
    else
        m_canvas->replot(QCustomPlot::rpQueuedReplot);
}

void Plot::offerToFollow() { m_follow->setVisible(!following() || !showsNewest()); }

void Plot::setSelectedModule(const QString& module) {
    if (std::exchange(m_selected, module) == module) return;
    selectionChanged();
    if (isVisible()) m_marks->redraw();
}

void Plot::pointAt(int spot) {
    if (std::exchange(m_pointed, spot) == spot) return;
    m_marks->redraw();
    m_canvas->setAccessibleDescription(readoutOf(spot));
}

void Plot::hover(const QMouseEvent* event) {
    if (event->buttons() != Qt::NoButton) {
        QToolTip::hideText();
        return;
    }
    pointAt(spotAt(event->position()));
    if (m_pointed < 0)
        QToolTip::hideText();
    else
        QToolTip::showText(event->globalPosition().toPoint(), readoutOf(m_pointed), m_canvas);
}

void Plot::release(const QMouseEvent* event) {
    if (event->button() != Qt::LeftButton || m_view->dragged() || clicked(event->position())) return;
    if (const QString module = moduleOf(spotAt(event->position())); !module.isEmpty()) Q_EMIT moduleClicked(module);
}

bool Plot::keyPressed(const QKeyEvent* event) {
    const int step = event->key() == Qt::Key_Left || event->key() == Qt::Key_Up ? -1 : 1;
    switch (event->key()) {
        case Qt::Key_Left:
        case Qt::Key_Right:
            if (event->modifiers() == Qt::ShiftModifier)
                m_view->pan(0.2 * step);
            else
                pointAt(spotBeside(m_pointed, step, 0));
            break;
        case Qt::Key_Up:
        case Qt::Key_Down:
            if (event->modifiers() == Qt::ShiftModifier)
                m_view->pan(0.2 * step, Qt::Vertical);
            else
                pointAt(spotBeside(m_pointed, 0, step));
            break;
        case Qt::Key_Plus: m_view->zoom(0.7); return true;
        case Qt::Key_Minus: m_view->zoom(1 / 0.7); return true;
        case Qt::Key_Return:
        case Qt::Key_Enter:
        case Qt::Key_Space:
            if (const QString module = moduleOf(m_pointed); !module.isEmpty()) Q_EMIT moduleClicked(module);
            return true;
        default: return false;
    }
    if (const QRectF box = boxOf(m_pointed); !box.isEmpty())
        QToolTip::showText(m_canvas->mapToGlobal(box.topRight().toPoint()), readoutOf(m_pointed), m_canvas);
    return true;
}

bool Plot::eventFilter(QObject* watched, QEvent* event) {
    if (watched == m_canvas) switch (event->type()) {
            case QEvent::KeyPress:
                if (keyPressed(static_cast<QKeyEvent*>(event))) return true;
                break;
            case QEvent::Leave: pointAt(-1); break;
            case QEvent::FocusIn:
            case QEvent::FocusOut: m_marks->redraw(); break;
            default: break;
        }
    return QWidget::eventFilter(watched, event);
}

void Plot::contextMenuEvent(QContextMenuEvent* event) {
    auto* menu = new QMenu(this);
    menu->setAttribute(Qt::WA_DeleteOnClose);
    menu->setToolTipsVisible(true);
    const int spot = event->reason() == QContextMenuEvent::Mouse ? spotAt(m_canvas->mapFrom(this, event->pos())) : m_pointed;
    if (const QString module = moduleOf(spot); !module.isEmpty())
        menu->addAction(tr("Select %1").arg(module), this, [this, module] { Q_EMIT moduleClicked(module); });
    menu->addActions({m_copyTable, m_copyPicture, m_savePicture, m_saveNumbers});
    menu->addSeparator();
    menu->addActions({m_back, m_forward, m_whole, m_zoom});
    extendMenu(menu);
    menu->popup(event->globalPos());
}

void Plot::copyTable() const { QApplication::clipboard()->setText(table().text()); }

void Plot::copyPicture() { QApplication::clipboard()->setImage(picture(2)); }

void Plot::drawWithoutMarks(const std::function<void()>& draw) const {
    QCPLayer* marks = m_marks->layer();
    marks->setVisible(false);
    draw();
    marks->setVisible(true);
}

QImage Plot::picture(double scale) const {
    QImage image;
    drawWithoutMarks([&] { image = m_canvas->toPixmap(m_canvas->width(), m_canvas->height(), scale).toImage(); });
    image.setDevicePixelRatio(1);
    return image;
}

QSize Plot::pictureSize() const { return m_canvas->size(); }

QByteArray Plot::svg() const {
    QByteArray bytes;
    QBuffer buffer(&bytes);
    QSvgGenerator generator;
    generator.setOutputDevice(&buffer);
    generator.setSize(m_canvas->size());
    generator.setViewBox(m_canvas->rect());
    generator.setResolution(m_canvas->logicalDpiX());
    generator.setTitle(accessibleName());
    drawWithoutMarks([&] {
        QCPPainter painter;
        painter.begin(&generator);
        painter.setModes(QCPPainter::pmVectorized | QCPPainter::pmNoCaching);  // labels are text, not pictures of it
        m_canvas->toPainter(&painter, m_canvas->width(), m_canvas->height());
        painter.end();
    });
    return bytes;
}

void Plot::changeEvent(QEvent* event) {
    QWidget::changeEvent(event);
    if (event->type() != QEvent::PaletteChange || !m_made) return;
    applyTheme();
    refresh();
}

void Plot::showEvent(QShowEvent* event) {
    QWidget::showEvent(event);
    if (m_stale) rebuildNow();
}

}  // namespace calibench
