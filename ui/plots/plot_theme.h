#pragma once

#include <QColor>
#include <QPalette>

class QCPAxis;
class QCPAxisRect;
class QCPColorGradient;
class QCPColorScale;
class QCPLegend;
class QCustomPlot;

namespace calibench {

/// The colours of every plot, taken from the palette, so that plots follow the theme.
struct PlotTheme {
    QColor background, text, muted, grid, zeroLine, accent, warning;
    bool dark = false;

    [[nodiscard]] static PlotTheme fromPalette(const QPalette& palette);
    /// Okabe and Ito's colours, which people with any colour vision tell apart, in the order that reads best on the background.
    [[nodiscard]] QColor categorical(int index) const;

    /// Opaque, as if `colour` lay over the background with this opacity: blending costs time with every repaint.
    [[nodiscard]] QColor mixed(const QColor& colour, double opacity) const;

    void apply(QCustomPlot* plot) const;
    void apply(QCPAxisRect* rect) const;
    void apply(QCPColorScale* bar) const;
    void apply(QCPLegend* legend) const;

private:
    void apply(QCPAxis* axis) const;
};

/// Matplotlib's viridis: rises evenly in lightness, for anyone's eyes and on paper.
[[nodiscard]] QCPColorGradient viridis();
/// Blue below zero, red above, and in the middle what the theme's background makes unobtrusive.
[[nodiscard]] QCPColorGradient diverging(const PlotTheme& theme);

}  // namespace calibench
