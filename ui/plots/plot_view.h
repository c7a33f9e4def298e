#pragma once

#include <QHash>
#include <QList>
#include <QObject>
#include <QPointF>
#include <QTimer>

#include "ui/plots/view_history.h"

class QMouseEvent;
class QWheelEvent;

namespace calibench {

/// Which part of a plot is seen. It shows the whole plot and grows with it until the user zooms (wheel, rubber band) or pans
/// (drag); every view can be gone back to.
class PlotView : public QObject {
    Q_OBJECT

public:
    /// Turns the mouse on `canvas` into zooming and panning.
    explicit PlotView(QCustomPlot* canvas);

    /// A panel that can be zoomed; the wheel zooms it in these directions. The last visible panel is the one that keys zoom
    /// and pan.
    void addPanel(QCPAxisRect* panel, Qt::Orientations wheel = Qt::Horizontal);
    void setWheel(QCPAxisRect* panel, Qt::Orientations wheel) { m_wheel[panel] = wheel; }
    /// All there is on an axis: shown while the whole plot is. No view of a bounded axis reaches beyond it.
    void setWhole(QCPAxis* axis, const QCPRange& whole, bool bounded);
    /// The axis has another scale from now on: its range, and that in every view gone before, becomes the whole one.
    void redefine(QCPAxis* axis, const QCPRange& whole);

    [[nodiscard]] bool following() const { return !m_changing && m_history.current().whole; }
    [[nodiscard]] bool canGoBack() const { return m_changing || m_history.canGoBack(); }
    [[nodiscard]] bool canGoForward() const { return !m_changing && m_history.canGoForward(); }
    [[nodiscard]] bool dragged() const { return m_dragged; }  ///< the mouse button is or was last used to drag

    void showWhole();
    void back();
    void forward();
    void forget();                  ///< another run: the whole plot, and no view to go back to
    void zoom(double factor);       ///< about the middle, in the wheel's directions; below 1 zooms in
    /// By this part of what is seen, to the right or downwards; nothing happens in a direction that the wheel does not have.
    void pan(double part, Qt::Orientation direction = Qt::Horizontal);
    /// Shows these ranges; goes into the history like any other view.
    void lookAt(QCPAxis* x, const QCPRange& columns, QCPAxis* y, const QCPRange& rows);
    void setZoomTool(bool on) { m_zoomTool = on; }  ///< dragging draws a rubber band, as it does with Shift

Q_SIGNALS:
    void changed();  ///< following(), where one can go, or the ranges

private:
    void pressed(const QMouseEvent* event);
    void moved(const QMouseEvent* event);
    void released();
    void wheeled(const QWheelEvent* event);
    void zoomInto(const QRect& band);
    void beginChange();
    void endChange();  ///< what is seen now becomes a view of the history
    void keepWithin(QCPAxis* axis, const QCPRange& range);
    [[nodiscard]] QList<QCPAxis*> axes() const;
    [[nodiscard]] QCPAxisRect* panelOfKeys() const;
    [[nodiscard]] View seen() const;
    void show(const View& view);

    QCustomPlot* m_canvas;
    QList<QCPAxisRect*> m_panels;
    QHash<QCPAxisRect*, Qt::Orientations> m_wheel;
    QHash<QCPAxis*, QCPRange> m_bounds;
    ViewHistory m_history;
    QTimer m_wheelPause;  ///< turns of the wheel without a pause are one change
    QPointF m_pressedAt;
    bool m_changing = false;
    bool m_dragged = false;
    bool m_zoomTool = false;
};

}  // namespace calibench
