#pragma once

#include <QWidget>

#include <vector>

#include "core/calibration/run_events.h"

class QTabWidget;

namespace calibench {

class LossPlot;
class Plot;
class RangePlot;
class RunController;
class Session;
class Settings;
class StatePage;
class TokenPlot;

/// The middle of the window: one tab per plot. Each can be torn off into a window of its own; closing that puts it back.
class PlotsPage : public QWidget {
    Q_OBJECT

public:
    /// `settings` must outlive the page.
    PlotsPage(Session& session, RunController& controller, Settings& settings, QWidget* parent = nullptr);

    void showBlock(int block);
    void showEvidence(Warning::Kind kind);  ///< the plot in which such a warning can be seen
    [[nodiscard]] int currentTab() const;  ///< 0: ranges, 1: tokens, 2: losses
    void setCurrentTab(int index);

    void tearOff(int index);
    void putBack(int index);
    [[nodiscard]] bool tornOff(int index) const { return m_places[static_cast<size_t>(index)].window != nullptr; }

Q_SIGNALS:
    void runRequested();

private:
    struct Place {
        Plot* plot = nullptr;
        QString title, help;
        QWidget* window = nullptr;  ///< while torn off
    };

    void addTab(int index);
    void showState();

    Session& m_session;
    RunController& m_controller;
    StatePage* m_page;
    QTabWidget* m_tabs;
    RangePlot* m_ranges;
    TokenPlot* m_tokens;
    LossPlot* m_loss;
    std::vector<Place> m_places;  ///< in the order of the tabs
};

}  // namespace calibench
