#pragma once

#include <QObject>

#include "core/calibration/run_events.h"

class QWidget;

namespace calibench {

class MessageBar;
class RunController;
class Session;
class Settings;

/// What the window says and offers when a run has come to its end.
class RunEndings : public QObject {
    Q_OBJECT

public:
    /// `window` is the parent of dialogs and of this object.
    RunEndings(const Session& session, RunController& controller, Settings& settings, MessageBar& messages, QWidget* window);

    /// A run of an earlier day is on screen: how it ended, and what can be done about that.
    void showEarlierRun();
    void showExportDialog();
    void openRunFolder();

Q_SIGNALS:
    void runRequested();

private:
    void showFinished(const RunSummary& summary);
    [[nodiscard]] qsizetype blocksDone() const;
    void offerToContinue(const QString& what, bool failed);

    const Session& m_session;
    RunController& m_controller;
    Settings& m_settings;
    MessageBar& m_messages;
    QWidget* m_window;
};

}  // namespace calibench
