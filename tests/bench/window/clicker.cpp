#include "tests/bench/window/clicker.h"

#include <QTabBar>
#include <QTest>
#include <QTreeView>

#include "ui/main_window.h"
#include "ui/panels/model_panel.h"
#include "ui/panels/plots_page.h"
#include "ui/plots/plot.h"

namespace calibench::bench {

void Clicker::click(Clock::time_point asked) {
    if (m_waitingFor) return;
    const Target target = nextTarget();
    if (!target.widget) return;
    m_waitingFor = target.widget;
    m_where = target.where;
    m_asked = asked;
    QTest::mouseClick(target.widget, Qt::LeftButton, {}, target.at);
    target.widget->installEventFilter(this);
    target.widget->update();  // a click that changes nothing is answered too
}

bool Clicker::eventFilter(QObject* watched, QEvent* event) {
    if (event->type() == QEvent::Paint && watched == m_waitingFor) {
        watched->removeEventFilter(this);
        // The widget paints after this filter, and others of the same update after it: look at the clock when all of it is over.
        const auto painted = [this] {
            m_clicks.push_back({m_where, millisecondsSince(m_asked)});
            m_waitingFor = nullptr;
        };
        QMetaObject::invokeMethod(this, painted, Qt::QueuedConnection);
    }
    return QObject::eventFilter(watched, event);
}

Clicker::Target Clicker::nextTarget() {
    switch (m_turn++ % 3) {
        case 0: return treeRow();
        case 1: return nextTab();
        default: return plot();
    }
}

Clicker::Target Clicker::treeRow() const {
    const auto* tree = m_window.findChild<ModelPanel*>()->tree();
    const int step = 37;  // pixels: another row each time
    const QPoint at(60, static_cast<int>(m_turn) * step % std::max(1, tree->viewport()->height()));
    return {QStringLiteral("tree"), tree->viewport(), at};
}

Clicker::Target Clicker::nextTab() const {
    auto* tabs = m_window.findChild<PlotsPage*>()->findChild<QTabBar*>();
    if (!tabs || !tabs->isVisible()) return {};
    return {QStringLiteral("tab"), tabs, tabs->tabRect((tabs->currentIndex() + 1) % tabs->count()).center()};
}

Clicker::Target Clicker::plot() const {
    for (Plot* plot : m_window.findChildren<Plot*>()) {
        if (!plot->isVisible()) continue;
        const QPoint at(plot->width() * (20 + static_cast<int>(m_turn * 7 % 60)) / 100, plot->height() / 2);
        QWidget* hit = plot->childAt(at);
        if (!hit) hit = plot;
        return {QStringLiteral("plot"), hit, hit->mapFrom(plot, at)};
    }
    return {};
}

}  // namespace calibench::bench
