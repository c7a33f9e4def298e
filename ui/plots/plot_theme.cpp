#include "ui/plots/plot_theme.h"

#include <QApplication>

#include <cmath>
#include <iterator>
#include <span>

#include "ui/plots/qcustomplot.h"
#include "ui/theme.h"

namespace calibench {

static QFont smallFont() {
    QFont font = QApplication::font();
    font.setPointSizeF(font.pointSizeF() * 0.9);
    return font;
}

PlotTheme PlotTheme::fromPalette(const QPalette& palette) {
    PlotTheme theme;
    theme.dark = isDark(palette);
    theme.background = palette.color(QPalette::Base);
    theme.text = palette.color(QPalette::Active, QPalette::Text);
    theme.muted = mutedText(palette);
    theme.grid = theme.text;
    theme.grid.setAlpha(theme.dark ? 34 : 28);
    theme.zeroLine = theme.text;
    theme.zeroLine.setAlpha(110);
    theme.accent = palette.color(QPalette::Active, QPalette::Highlight);
    theme.warning = warningColour(palette);
    return theme;
}

QColor PlotTheme::categorical(int index) const {
    // Their eighth colour is black; on a light background it takes the place of yellow, which cannot be read there.
    static constexpr QRgb onLight[] = {0xff0072b2, 0xffe69f00, 0xff009e73, 0xffcc79a7, 0xff56b4e9, 0xffd55e00, 0xff3a3f45};
    static constexpr QRgb onDark[] = {0xff4a9ede, 0xffe69f00, 0xff1fb98c, 0xffcc79a7, 0xff86cdf5, 0xffe8743b, 0xfff0e442};
    const auto count = static_cast<int>(std::size(onLight));
    return QColor(dark ? onDark[index % count] : onLight[index % count]);
}

QColor PlotTheme::mixed(const QColor& colour, double opacity) const {
    const auto channel = [opacity](int over, int under) { return static_cast<int>(std::lround(opacity * over + (1 - opacity) * under)); };
    return QColor(channel(colour.red(), background.red()), channel(colour.green(), background.green()), channel(colour.blue(), background.blue()));
}

void PlotTheme::apply(QCustomPlot* plot) const {
    plot->setBackground(background);
    for (QCPAxisRect* rect : plot->axisRects()) apply(rect);
}

void PlotTheme::apply(QCPAxis* axis) const {
    axis->setBasePen(QPen(grid, 1));
    axis->setTickPen(QPen(muted, 1));
    axis->setSubTickPen(Qt::NoPen);
    axis->setTickLabelColor(text);
    axis->setLabelColor(text);
    axis->setTickLabelFont(smallFont());
    axis->setLabelFont(smallFont());
}

void PlotTheme::apply(QCPColorScale* bar) const { apply(bar->axis()); }

void PlotTheme::apply(QCPAxisRect* rect) const {
    for (QCPAxis* axis : rect->axes()) {
        apply(axis);
        axis->setSelectableParts(QCPAxis::spNone);
        axis->grid()->setPen(QPen(grid, 1));
        const bool countsThings = axis->orientation() == Qt::Horizontal;  // blocks, iterations: their zero means nothing
        axis->grid()->setZeroLinePen(countsThings ? Qt::NoPen : QPen(zeroLine, 1));
        axis->grid()->setSubGridVisible(false);
    }
}

void PlotTheme::apply(QCPLegend* legend) const {
    const QFont small = smallFont();
    legend->setBrush(Qt::NoBrush);
    legend->setBorderPen(Qt::NoPen);
    legend->setFont(small);
    legend->setIconSize(12, 18);
    legend->setIconTextPadding(4);
    legend->setTextColor(text);
    for (int i = 0; i < legend->itemCount(); ++i) {
        legend->item(i)->setTextColor(text);
        legend->item(i)->setFont(small);
    }
}

namespace {

QCPColorGradient gradientOf(std::span<const QRgb> stops) {
    QCPColorGradient gradient;
    gradient.clearColorStops();
    for (size_t i = 0; i < stops.size(); ++i) gradient.setColorStopAt(static_cast<double>(i) / static_cast<double>(stops.size() - 1), QColor(stops[i]));
    return gradient;
}

}  // namespace

QCPColorGradient viridis() {
    static constexpr QRgb stops[] = {0xff440154, 0xff482475, 0xff414487, 0xff355f8d, 0xff2a788e, 0xff21918c,
                                     0xff22a884, 0xff44bf70, 0xff7ad151, 0xffbddf26, 0xfffde725};
    return gradientOf(stops);
}

QCPColorGradient diverging(const PlotTheme& theme) {
    static constexpr QRgb onLight[] = {0xff053061, 0xff2166ac, 0xff6aaed6, 0xfff4f5f6, 0xfff0906b, 0xffb2182b, 0xff67001f};
    static constexpr QRgb onDark[] = {0xffb5dcff, 0xff5aa9e6, 0xff2c669c, 0xff25282c, 0xffa3422f, 0xfff0785a, 0xffffd0bd};
    return theme.dark ? gradientOf(onDark) : gradientOf(onLight);
}

}  // namespace calibench
