#include "ui/panels/plots_page.h"

#include <QTabBar>
#include <QTabWidget>
#include <QToolButton>
#include <QVBoxLayout>

#include <algorithm>
#include <utility>

#include "ui/panels/plot_window.h"
#include "ui/panels/state_page.h"
#include "ui/plots/loss_plot.h"
#include "ui/plots/range_plot.h"
#include "ui/plots/token_plot.h"
#include "ui/run_controller.h"
#include "ui/session.h"
#include "ui/settings.h"
#include "ui/theme.h"

namespace calibench {

PlotsPage::PlotsPage(Session& session, RunController& controller, Settings& settings, QWidget* parent)
    : QWidget(parent), m_session(session), m_controller(controller), m_tabs(new QTabWidget),
      m_ranges(new RangePlot(controller.record())), m_tokens(new TokenPlot(controller.record())), m_loss(new LossPlot(controller.record())),
      m_places{{m_ranges, tr("Ranges"), tr("Smallest and largest value of each module's weight and inputs, with 99.8 % of the values in the darker part")},
               {m_tokens, tr("Tokens"), tr("How many tokens each module or expert has seen")},
               {m_loss, tr("Loss"), tr("Error of each block's output while its rounding is tuned")}} {
    m_tabs->setDocumentMode(true);
    m_tabs->setAccessibleName(tr("Plots"));
    for (int i = 0; i < static_cast<int>(m_places.size()); ++i) addTab(i);

    m_page = new StatePage(m_tabs);
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->addWidget(m_page);

    connect(&m_controller, &RunController::snapshotArrived, m_ranges, &RangePlot::applySnapshot);
    connect(&m_controller, &RunController::snapshotArrived, m_tokens, &TokenPlot::applySnapshot);
    connect(&m_controller, &RunController::snapshotArrived, m_loss, &LossPlot::applySnapshot);
    connect(&m_controller, &RunController::stateChanged, this, &PlotsPage::showState);
    connect(&m_session, &Session::readinessChanged, this, &PlotsPage::showState);
    for (const Place& place : m_places) {
        connect(&m_controller, &RunController::runStarted, place.plot, &Plot::startOver);
        connect(&m_session, &Session::selectionChanged, place.plot, &Plot::setSelectedModule);
        connect(place.plot, &Plot::moduleClicked, &m_session, &Session::selectModule);
    }
    m_tokens->setThreshold(settings.starvedPercent());
    connect(m_tokens, &TokenPlot::thresholdChanged, &settings, &Settings::setStarvedPercent);
    showState();
}

void PlotsPage::addTab(int index) {
    const Place& place = m_places[static_cast<size_t>(index)];
    const auto before = std::count_if(m_places.begin(), m_places.begin() + index, [](const Place& other) { return !other.window; });
    const int tab = m_tabs->insertTab(static_cast<int>(before), place.plot, place.title);
    m_tabs->setTabToolTip(tab, place.help);
    auto* detach = new QToolButton;
    detach->setIcon(symbolicIcon(QStringLiteral("detach")));
    detach->setIconSize({12, 12});
    detach->setAutoRaise(true);
    detach->setToolTip(tr("Show %1 in a window of its own; closing that puts it back").arg(place.title));
    detach->setAccessibleName(tr("Tear off %1").arg(place.title));
    connect(detach, &QToolButton::clicked, this, [this, index] { tearOff(index); });
    m_tabs->tabBar()->setTabButton(tab, QTabBar::RightSide, detach);
}

void PlotsPage::tearOff(int index) {
    Place& place = m_places[static_cast<size_t>(index)];
    if (place.window) return;
    m_tabs->removeTab(m_tabs->indexOf(place.plot));
    auto* window = new PlotWindow(place.plot, tr("%1 – Calibench").arg(place.title), this);
    connect(window, &PlotWindow::closed, this, [this, index] { putBack(index); });
    place.window = window;
    window->show();
    showState();
}

void PlotsPage::putBack(int index) {
    Place& place = m_places[static_cast<size_t>(index)];
    if (!place.window) return;
    std::exchange(place.window, nullptr)->deleteLater();
    addTab(index);
    m_tabs->setCurrentWidget(place.plot);
    showState();
}

void PlotsPage::showBlock(int block) { m_loss->showBlock(block); }

void PlotsPage::showEvidence(Warning::Kind kind) {
    switch (kind) {
        case Warning::Kind::General: return;
        case Warning::Kind::Plateau: return setCurrentTab(2);
        case Warning::Kind::StarvedExpert: return setCurrentTab(1);
        case Warning::Kind::NotFinite:
        case Warning::Kind::ClippedRange:
        case Warning::Kind::Outliers: return setCurrentTab(0);
    }
}

int PlotsPage::currentTab() const {
    const auto place = std::find_if(m_places.begin(), m_places.end(), [this](const Place& other) { return other.plot == m_tabs->currentWidget(); });
    return place == m_places.end() ? 0 : static_cast<int>(place - m_places.begin());
}

void PlotsPage::setCurrentTab(int index) {
    if (index < 0 || index >= static_cast<int>(m_places.size())) return;
    if (QWidget* window = m_places[static_cast<size_t>(index)].window)
        window->raise();
    else
        m_tabs->setCurrentWidget(m_places[static_cast<size_t>(index)].plot);
}

void PlotsPage::showState() {
    if (!m_controller.active()) m_ranges->settle();
    const bool nothingKnown = !m_controller.record().started();
    if (m_controller.state() == RunController::State::Loading && nothingKnown)
        m_page->showLoading(tr("Reading the model and cutting the text into samples"));
    else if (!nothingKnown && m_tabs->count() == 0)
        m_page->showEmpty(tr("The plots are in windows of their own."), tr("Put them back"), [this] {
            for (int i = 0; i < static_cast<int>(m_places.size()); ++i) putBack(i);
        });
    else if (!nothingKnown)
        m_page->showContent();
    else if (const QString obstacle = m_session.obstacle(); !obstacle.isEmpty())
        m_page->showEmpty(tr("The run's ranges, token counts and losses will show here. %1").arg(obstacle));
    else
        m_page->showEmpty(tr("Everything is in place to quantize %n module(s).", nullptr, static_cast<int>(m_session.schemes().size())), tr("Run"),
                          [this] { Q_EMIT runRequested(); });
}

}  // namespace calibench
