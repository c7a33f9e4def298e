#pragma once

#include <QTimer>
#include <QWidget>

#include "ui/plots/plot_theme.h"

class QCustomPlot;
class QMouseEvent;
class QToolButton;

namespace calibench {

/// What all plots share: the canvas, the theme, a readout under the pointer, following until the user pans or zooms, and
/// drawing only while visible.
class Plot : public QWidget {
    Q_OBJECT

public:
    explicit Plot(QWidget* parent = nullptr);

    /// The data changed: rebuilt once, now when visible, else when shown.
    void refresh();
    [[nodiscard]] bool following() const { return m_following; }
    void follow();
    /// What lies under a pixel of the canvas, with all digits; empty when nothing does.
    [[nodiscard]] virtual QString readoutAt(const QPointF& pixel) const = 0;

Q_SIGNALS:
    void moduleClicked(const QString& module);

protected:
    virtual void rebuild() = 0;                                    ///< record -> plottables and ranges
    virtual void followed() {}                                     ///< the user wants to keep up with the run again
    virtual void restyle(const PlotTheme& theme) { Q_UNUSED(theme); }  ///< beyond PlotTheme::apply
    [[nodiscard]] virtual QString moduleAt(const QPointF& pixel) const { Q_UNUSED(pixel); return {}; }

    [[nodiscard]] QCustomPlot* canvas() const { return m_canvas; }
    [[nodiscard]] const PlotTheme& theme() const { return m_theme; }
    void applyTheme();          ///< call at the end of a subclass's constructor
    void offerToFollow(bool offer);  ///< something other than the newest is shown

    void changeEvent(QEvent* event) override;
    void showEvent(QShowEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;

private:
    void rebuildNow();
    void stopFollowing();
    void hover(QMouseEvent* event);

    QCustomPlot* m_canvas;
    QToolButton* m_followButton;
    PlotTheme m_theme;
    bool m_following = true;
    bool m_stale = true;
    bool m_dragged = false;
};

}  // namespace calibench
