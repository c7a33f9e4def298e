#pragma once

#include <QWidget>

#include "core/calibration/run_events.h"

class QTabWidget;

namespace calibench {

class LossPlot;
class RangePlot;
class RunController;
class Session;
class StatePage;
class TokenPlot;

/// The middle of the window: one tab per plot.
class PlotsPage : public QWidget {
    Q_OBJECT

public:
    PlotsPage(Session& session, RunController& controller, QWidget* parent = nullptr);

    void showBlock(int block);
    [[nodiscard]] int currentTab() const;
    void setCurrentTab(int index);
    /// Turns to the plot that shows what warnings of this kind speak of.
    void showEvidence(Warning::Kind kind);

Q_SIGNALS:
    void runRequested();

private:
    void showState();

    Session& m_session;
    RunController& m_controller;
    StatePage* m_page;
    QTabWidget* m_tabs;
    RangePlot* m_ranges;
    TokenPlot* m_tokens;
    LossPlot* m_loss;
};

}  // namespace calibench
