#pragma once

#include <QWidget>

#include <functional>

#include "ui/plots/plot_table.h"
#include "ui/plots/plot_theme.h"

class QCustomPlot;
class QHBoxLayout;
class QKeyEvent;
class QMenu;
class QMouseEvent;

namespace calibench {

class PlotView;
class SpotMarks;

/// What all plots share: the canvas and its theme, views that can be gone back to, one selection, a readout of what is
/// pointed at by mouse or keys, copying, and drawing only while visible.
///
/// A plot speaks of its contents as spots, numbered from 0: a module, a cell, an iteration. -1 is no spot.
class Plot : public QWidget {
    Q_OBJECT

public:
    explicit Plot(QWidget* parent = nullptr);

    /// The data changed: rebuilt once, now when visible, else when shown.
    void refresh();
    [[nodiscard]] bool following() const;
    void follow();     ///< shows all of it again and keeps up with the run
    void startOver();  ///< another run: earlier views are forgotten

    /// A module, a block ("model.layers.3"), or nothing.
    void setSelectedModule(const QString& module);
    [[nodiscard]] QString selectedModule() const { return m_selected; }

    /// What lies under a pixel of the canvas, with all digits; empty when nothing does.
    [[nodiscard]] QString readoutAt(const QPointF& pixel) const { return readoutOf(spotAt(pixel)); }
    /// What is in sight, as numbers: of the panel that holds the spot pointed at, where there are several.
    [[nodiscard]] virtual PlotTable table() const = 0;
    /// All that the plot shows, in sight or not, of every panel.
    [[nodiscard]] virtual PlotTable wholeTable() const { return table(); }
    /// All of it would be too much: wholeTable() has no more than what is in sight.
    [[nodiscard]] virtual bool wholeTableIsInSight() const { return false; }

    /// As it is seen, without the marks of what is pointed at and selected. `scale`: pixels for each one on the screen.
    [[nodiscard]] QImage picture(double scale) const;
    [[nodiscard]] QSize pictureSize() const;  ///< at scale 1
    [[nodiscard]] QByteArray svg() const;

    [[nodiscard]] virtual int spotAt(const QPointF& pixel) const = 0;
    [[nodiscard]] virtual QRectF boxOf(int spot) const = 0;  ///< where it is drawn, in pixels; empty when it is out of sight
    [[nodiscard]] virtual QString readoutOf(int spot) const = 0;
    [[nodiscard]] virtual QString moduleOf(int spot) const = 0;  ///< or block; empty when the spot belongs to none
    [[nodiscard]] int pointedSpot() const { return m_pointed; }

public Q_SLOTS:
    void copyTable() const;
    void copyPicture();

Q_SIGNALS:
    void moduleClicked(const QString& module);
    void savePictureRequested();
    void saveNumbersRequested();

protected:
    virtual void rebuild() = 0;             ///< record -> what is drawn, and PlotView::setWhole
    virtual void followed() {}              ///< the user wants to keep up with the run again
    virtual void selectionChanged() {}
    virtual void restyle(const PlotTheme& theme) { Q_UNUSED(theme); }  ///< beyond PlotTheme::apply
    virtual bool clicked(const QPointF& pixel) { Q_UNUSED(pixel); return false; }  ///< true: it was no click on a spot
    virtual void extendMenu(QMenu* menu) { Q_UNUSED(menu); }
    [[nodiscard]] virtual std::vector<QRectF> selectionBoxes() const = 0;  ///< in pixels
    [[nodiscard]] virtual int spotBeside(int spot, int columns, int rows) const = 0;  ///< for the arrow keys; from -1: the first
    [[nodiscard]] virtual QString note() const { return {}; }  ///< why there is nothing to see
    [[nodiscard]] virtual bool showsNewest() const { return true; }

    [[nodiscard]] QCustomPlot* canvas() const { return m_canvas; }
    [[nodiscard]] PlotView& view() const { return *m_view; }
    [[nodiscard]] const PlotTheme& theme() const { return m_theme; }
    void applyTheme();                                     ///< call at the end of a subclass's constructor
    QWidget* addOption(const QString& label, QWidget* widget);  ///< to the row above the plot; returns both as one widget
    void offerToFollow();                                  ///< call when showsNewest() may have changed

    bool eventFilter(QObject* watched, QEvent* event) override;
    void changeEvent(QEvent* event) override;
    void showEvent(QShowEvent* event) override;
    void contextMenuEvent(QContextMenuEvent* event) override;

private:
    void makeActions();
    void drawWithoutMarks(const std::function<void()>& draw) const;
    void rebuildNow();
    void viewChanged();
    void hover(const QMouseEvent* event);
    void release(const QMouseEvent* event);
    bool keyPressed(const QKeyEvent* event);
    void pointAt(int spot);

    QCustomPlot* m_canvas;
    PlotView* m_view;
    SpotMarks* m_marks;
    QHBoxLayout* m_options;
    int m_countOptions = 0;  ///< they stand left in the row, the buttons right
    QAction *m_follow = nullptr, *m_back = nullptr, *m_forward = nullptr, *m_whole = nullptr, *m_zoom = nullptr, *m_copyTable = nullptr, *m_copyPicture = nullptr;
    QAction *m_savePicture, *m_saveNumbers;
    PlotTheme m_theme;
    bool m_made = false;  ///< by the subclass too
    QString m_selected;
    int m_pointed = -1;
    bool m_stale = true;
};

}  // namespace calibench
