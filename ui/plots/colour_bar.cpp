#include "ui/plots/colour_bar.h"

#include "ui/plots/plot_theme.h"
#include "ui/plots/scales.h"

namespace calibench {

QCPColorScale* makeColourBar(const QList<QCPAxisRect*>& panels) {
    QCustomPlot* canvas = panels.front()->parentPlot();
    auto* bar = new QCPColorScale(canvas);
    bar->setType(QCPAxis::atRight);
    bar->setBarWidth(12);
    bar->axis()->setTicker(QSharedPointer<NumberTicker>::create());
    bar->setGradient(viridis());
    bar->setRangeDrag(false);
    bar->setRangeZoom(false);
    auto* margins = new QCPMarginGroup(canvas);
    bar->setMarginGroup(QCP::msTop | QCP::msBottom, margins);
    for (QCPAxisRect* panel : panels) panel->setMarginGroup(QCP::msTop | QCP::msBottom, margins);
    return bar;
}

}  // namespace calibench
