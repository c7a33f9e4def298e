#include "ui/panels/plots_page.h"

#include <QTabWidget>
#include <QVBoxLayout>

#include "ui/panels/state_page.h"
#include "ui/plots/loss_plot.h"
#include "ui/plots/range_plot.h"
#include "ui/plots/token_plot.h"
#include "ui/run_controller.h"
#include "ui/session.h"

namespace calibench {

PlotsPage::PlotsPage(Session& session, RunController& controller, QWidget* parent)
    : QWidget(parent), m_session(session), m_controller(controller), m_tabs(new QTabWidget),
      m_ranges(new RangePlot(controller.record())), m_tokens(new TokenPlot(controller.record())), m_loss(new LossPlot(controller.record())) {
    m_tabs->setDocumentMode(true);
    const auto addTab = [this](QWidget* plot, const QString& title, const QString& help) {
        m_tabs->setTabToolTip(m_tabs->addTab(plot, title), help);
    };
    addTab(m_ranges, tr("Ranges"), tr("Smallest and largest value of each module's weight and inputs, with 99.8 % of the values in the darker part"));
    addTab(m_tokens, tr("Tokens"), tr("How many tokens each module or expert has seen"));
    addTab(m_loss, tr("Loss"), tr("Error of each block's output while its rounding is tuned"));

    m_page = new StatePage(m_tabs);
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->addWidget(m_page);

    connect(&m_controller, &RunController::snapshotArrived, m_ranges, &RangePlot::applySnapshot);
    connect(&m_controller, &RunController::snapshotArrived, m_tokens, &TokenPlot::applySnapshot);
    connect(&m_controller, &RunController::snapshotArrived, m_loss, &LossPlot::applySnapshot);
    connect(&m_controller, &RunController::runStarted, this, [this] {
        for (Plot* plot : {static_cast<Plot*>(m_ranges), static_cast<Plot*>(m_tokens), static_cast<Plot*>(m_loss)}) plot->follow();
    });
    connect(&m_controller, &RunController::stateChanged, this, &PlotsPage::showState);
    connect(&m_session, &Session::readinessChanged, this, &PlotsPage::showState);
    connect(&m_session, &Session::selectionChanged, m_ranges, &RangePlot::setSelectedModule);
    connect(m_ranges, &Plot::moduleClicked, &m_session, &Session::selectModule);
    connect(m_tokens, &Plot::moduleClicked, &m_session, &Session::selectModule);
    showState();
}

void PlotsPage::showBlock(int block) { m_loss->showBlock(block); }

int PlotsPage::currentTab() const { return m_tabs->currentIndex(); }

void PlotsPage::setCurrentTab(int index) { m_tabs->setCurrentIndex(index); }

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

void PlotsPage::showState() {
    if (!m_controller.active()) m_ranges->settle();
    const bool nothingKnown = !m_controller.record().started();
    if (m_controller.state() == RunController::State::Loading && nothingKnown)
        m_page->showLoading(tr("Reading the model and cutting the text into samples"));
    else if (!nothingKnown)
        m_page->showContent();
    else if (const QString obstacle = m_session.obstacle(); !obstacle.isEmpty())
        m_page->showEmpty(tr("The run's ranges, token counts and losses will show here. %1").arg(obstacle));
    else
        m_page->showEmpty(tr("Everything is in place to quantize %n module(s).", nullptr, static_cast<int>(m_session.schemes().size())), tr("Run"),
                          [this] { Q_EMIT runRequested(); });
}

}  // namespace calibench
