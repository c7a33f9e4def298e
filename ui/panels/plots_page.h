#pragma once

#include <QWidget>

#include <vector>

#include "core/calibration/run_events.h"

class QTabWidget;

namespace calibench {

class ErrorPage;
class LossPlot;
class OverviewPage;
class Plot;
class RangePlot;
class RunController;
class RunsPage;
class Session;
class Settings;
class StatePage;
class TokenPlot;

/// The middle of the window: a tab for each plot and each page about the modules. Each can be torn off into a window of its own;
/// closing that puts it back.
class PlotsPage : public QWidget {
    Q_OBJECT

public:
    enum Tab { Ranges, Tokens, Loss, Error, Overview, Runs };

    /// `settings` must outlive the page.
    PlotsPage(Session& session, RunController& controller, Settings& settings, QWidget* parent = nullptr);

    void showBlock(int block);
    void showEvidence(Warning::Kind kind);  ///< the plot in which such a warning can be seen
    [[nodiscard]] int currentTab() const;  ///< in the order of enum Tab
    void setCurrentTab(int index);

    void tearOff(int index);
    void putBack(int index);
    [[nodiscard]] ErrorPage* errorPage() const { return m_error; }
    [[nodiscard]] OverviewPage* overviewPage() const { return m_overview; }
    [[nodiscard]] RunsPage* runsPage() const { return m_runs; }
    [[nodiscard]] bool tornOff(int index) const { return m_places[static_cast<size_t>(index)].window != nullptr; }

Q_SIGNALS:
    void runRequested();

private:
    struct Place {
        QWidget* page = nullptr;
        QString title, help;
        QWidget* window = nullptr;  ///< while torn off
    };

    void add(QWidget* page, const QString& title, const QString& help);
    void addPlot(Plot* plot, const QString& title, const QString& help);
    void addTab(int index);
    void showState();
    void showRunState(StatePage* page);

    Session& m_session;
    RunController& m_controller;
    StatePage* m_page;
    QTabWidget* m_tabs;
    RangePlot* m_ranges;
    TokenPlot* m_tokens;
    LossPlot* m_loss;
    ErrorPage* m_error;
    OverviewPage* m_overview;
    RunsPage* m_runs;
    std::vector<StatePage*> m_plotPages;  ///< of the plots of a run, which are empty before one
    std::vector<Place> m_places;  ///< in the order of the tabs
};

}  // namespace calibench
