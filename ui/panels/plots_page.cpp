#include "ui/panels/plots_page.h"

#include <QTabBar>
#include <QTabWidget>
#include <QToolButton>

#include <algorithm>
#include <utility>

#include "ui/lens/error_page.h"
#include "ui/overview/overview_page.h"
#include "ui/panels/page_parts.h"
#include "ui/panels/plot_window.h"
#include "ui/panels/state_page.h"
#include "ui/plots/loss_plot.h"
#include "ui/plots/range_plot.h"
#include "ui/plots/token_plot.h"
#include "ui/run_controller.h"
#include "ui/runs/runs_page.h"
#include "ui/session.h"
#include "ui/settings.h"
#include "ui/theme.h"

namespace calibench {

PlotsPage::PlotsPage(Session& session, RunController& controller, Settings& settings, QWidget* parent)
    : QWidget(parent), m_session(session), m_controller(controller), m_tabs(new QTabWidget),
      m_ranges(new RangePlot(controller.record())), m_tokens(new TokenPlot(controller.record())), m_loss(new LossPlot(controller.record())),
      m_error(new ErrorPage(session, controller)), m_overview(new OverviewPage(session, controller)),
      m_runs(new RunsPage(session, controller, settings)) {
    m_tabs->setDocumentMode(true);
    m_tabs->setAccessibleName(tr("Plots"));
    addPlot(m_ranges, tr("Ranges"), tr("Smallest and largest value of each module's weight and inputs, with 99.8 % of the values in the darker part"));
    addPlot(m_tokens, tr("Tokens"), tr("How many tokens each module or expert has seen"));
    addPlot(m_loss, tr("Loss"), tr("Error of each block's output while its rounding is tuned"));
    add(m_error, tr("Error"), tr("What quantization does to the selected module: its error value by value, its histogram and its worst channels"));
    add(m_overview, tr("Overview"), tr("All modules with what quantization does to them, the worst first"));
    add(m_runs, tr("Runs"), tr("All runs with what came of them, alone or side by side"));
    connect(m_runs, &RunsPage::runRequested, this, &PlotsPage::runRequested);
    connect(m_overview, &OverviewPage::errorRequested, this, [this] { setCurrentTab(Error); });

    m_page = new StatePage(m_tabs);
    fill(this, {m_page});

    connect(&m_controller, &RunController::snapshotArrived, m_ranges, &RangePlot::applySnapshot);
    connect(&m_controller, &RunController::snapshotArrived, m_tokens, &TokenPlot::applySnapshot);
    connect(&m_controller, &RunController::snapshotArrived, m_loss, &LossPlot::applySnapshot);
    connect(&m_controller, &RunController::stateChanged, this, &PlotsPage::showState);
    connect(&m_session, &Session::readinessChanged, this, &PlotsPage::showState);
    m_tokens->setThreshold(settings.starvedPercent());
    connect(m_tokens, &TokenPlot::thresholdChanged, &settings, &Settings::setStarvedPercent);
    showState();
}

void PlotsPage::add(QWidget* page, const QString& title, const QString& help) {
    m_places.push_back({.page = page, .title = title, .help = help});
    addTab(static_cast<int>(m_places.size()) - 1);
}

void PlotsPage::addPlot(Plot* plot, const QString& title, const QString& help) {
    m_plotPages.push_back(new StatePage(plot));
    add(m_plotPages.back(), title, help);
    connect(&m_controller, &RunController::runStarted, plot, &Plot::startOver);
    connect(&m_session, &Session::selectionChanged, plot, &Plot::setSelectedModule);
    connect(plot, &Plot::moduleClicked, &m_session, &Session::selectModule);
}

void PlotsPage::addTab(int index) {
    const Place& place = m_places[static_cast<size_t>(index)];
    const auto before = std::count_if(m_places.begin(), m_places.begin() + index, [](const Place& other) { return !other.window; });
    const int tab = m_tabs->insertTab(static_cast<int>(before), place.page, place.title);
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
    m_tabs->removeTab(m_tabs->indexOf(place.page));
    auto* window = new PlotWindow(place.page, tr("%1 – Calibench").arg(place.title), this);
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
    m_tabs->setCurrentWidget(place.page);
    showState();
}

void PlotsPage::showBlock(int block) { m_loss->showBlock(block); }

void PlotsPage::showEvidence(Warning::Kind kind) {
    switch (kind) {
        case Warning::Kind::General: return;
        case Warning::Kind::Plateau: return setCurrentTab(Loss);
        case Warning::Kind::StarvedExpert: return setCurrentTab(Tokens);
        case Warning::Kind::NotFinite:
        case Warning::Kind::ClippedRange:
        case Warning::Kind::Outliers: return setCurrentTab(Ranges);
    }
}

int PlotsPage::currentTab() const {
    const auto place = std::find_if(m_places.begin(), m_places.end(), [this](const Place& other) { return other.page == m_tabs->currentWidget(); });
    return place == m_places.end() ? 0 : static_cast<int>(place - m_places.begin());
}

void PlotsPage::setCurrentTab(int index) {
    if (index < 0 || index >= static_cast<int>(m_places.size())) return;
    if (QWidget* window = m_places[static_cast<size_t>(index)].window)
        window->raise();
    else
        m_tabs->setCurrentWidget(m_places[static_cast<size_t>(index)].page);
}

void PlotsPage::showState() {
    if (!m_controller.active()) m_ranges->settle();
    for (StatePage* page : m_plotPages) showRunState(page);
    if (m_tabs->count() > 0) return m_page->showContent();
    m_page->showEmpty(tr("The plots are in windows of their own."), tr("Put them back"), [this] {
        for (int i = 0; i < static_cast<int>(m_places.size()); ++i) putBack(i);
    });
}

void PlotsPage::showRunState(StatePage* page) {
    if (m_controller.record().started())
        page->showContent();
    else if (m_controller.state() == RunController::State::Loading)
        page->showLoading(tr("Reading the model and cutting the text into samples"));
    else if (const QString obstacle = m_session.obstacle(); !obstacle.isEmpty())
        page->showEmpty(tr("The run's ranges, token counts and losses will show here. %1").arg(obstacle));
    else
        page->showEmpty(tr("Everything is in place to quantize %n module(s).", nullptr, static_cast<int>(m_session.schemes().size())), tr("Run"),
                        [this] { Q_EMIT runRequested(); });
}

}  // namespace calibench
