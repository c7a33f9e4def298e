#pragma once

#include <QRectF>
#include <QString>

#include <functional>
#include <vector>

#include "ui/plots/plot_theme.h"
#include "ui/plots/qcustomplot.h"

namespace calibench {

/// What lies over a plot and changes by itself: the selection, the place pointed at, the frame of the keyboard's focus. It has
/// a layer with a buffer of its own, so that moving the pointer draws nothing else anew.
class SpotMarks : public QCPLayerable {
public:
    struct Marks {
        std::vector<QRectF> selected;  ///< in pixels
        QRectF pointed;
        QString note;                  ///< in the middle of an empty plot
    };

    /// `marks` is asked whenever they are drawn.
    SpotMarks(QCustomPlot* canvas, std::function<Marks()> marks);

    void setTheme(const PlotTheme& theme) { m_theme = theme; }
    void redraw() { layer()->replot(); }

protected:
    void applyDefaultAntialiasingHint(QCPPainter* painter) const override { painter->setAntialiasing(true); }
    void draw(QCPPainter* painter) override;

private:
    const std::function<Marks()> m_marks;
    PlotTheme m_theme;
};

}  // namespace calibench
