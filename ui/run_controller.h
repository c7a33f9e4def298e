#pragma once

#include <QObject>
#include <QString>
#include <QTimer>

#include <functional>
#include <memory>
#include <optional>
#include <thread>
#include <variant>

#include "core/base/run_control.h"
#include "core/calibration/run_config.h"
#include "core/calibration/run_events.h"
#include "ui/run_replay.h"

namespace calibench {

/// Runs one calibration at a time on a thread of its own and tells the window of it. Every method and signal belongs to the
/// window's thread; only the job itself runs elsewhere, and all that crosses is a value. No method waits for the run.
/// A run ends with exactly one of runFinished, runStopped, runFailed, after the last snapshotArrived.
class RunController : public QObject {
    Q_OBJECT

public:
    enum class State { Idle, Loading, Running, Paused, Stopping, Done, Stopped, Failed };
    Q_ENUM(State)
    using Job = std::function<RunSummary(const RunConfig&, RunListener&, RunControl&)>;

    explicit RunController(Job job, QObject* parent = nullptr);
    ~RunController() override;  ///< asks the run to stop and waits for it

    [[nodiscard]] State state() const { return m_state; }
    [[nodiscard]] bool active() const;  ///< a job is on its thread
    [[nodiscard]] const RunRecord& record() const { return m_record; }
    /// Of the current or last run, with the recipe as the run follows it now.
    [[nodiscard]] const RunConfig& config() const { return m_config; }
    [[nodiscard]] const std::optional<RunSummary>& summary() const { return m_summary; }  ///< set while Done

    /// Ignored while a run is active.
    void start(RunConfig config, const ModelSummary& model);
    /// Shows an earlier run as it ended, in state Done, Stopped or Failed. Ignored while a run is active.
    void show(RunReplay run);
    /// Whether the run on screen can go on from its last finished block.
    [[nodiscard]] bool canContinue() const;
    /// Forgets the last run: back to Idle. Ignored while a run is active.
    void clear(const ModelSummary& model);

public Q_SLOTS:
    void requestPause();
    void requestResume();
    void requestStop();
    /// Goes on with the run on screen behind its last finished block; what is shown stays.
    void continueRun();
    /// What is to become of the block at work; wakes a paused run. Ignored when nothing runs.
    void order(const calibench::BlockOrder& order);
    /// The run pauses at the end of each block's tuning, before an attempt is kept. Holds for later runs too.
    void setHoldAtBlockEnd(bool hold);

Q_SIGNALS:
    void stateChanged(calibench::RunController::State state);
    void recordCleared();  ///< record() is empty again: another run is to come, or none
    void runStarted();     ///< anew, or going on where it was stopped (config().resume)
    /// The run follows another recipe from here on: an order asked for it.
    void recipeChanged(const QString& before, const QString& now);
    void snapshotArrived(const calibench::RunSnapshot& snapshot);
    void runFinished(const calibench::RunSummary& summary);
    void runStopped();
    void runFailed(const QString& message);

    // From the run's thread to the window's; what they announce crosses under a lock of its own, not in the event.
    void feedFilled(QPrivateSignal);
    void jobEnded(QPrivateSignal);

private:
    struct Stopped {};
    struct Failure {
        QString message;
    };
    using Ending = std::variant<RunSummary, Stopped, Failure>;

    void launch();  ///< m_config on a thread of its own
    static Ending runJob(const Job& job, const RunConfig& config, RunListener& feed, RunControl& control);
    void deliver();   ///< empties the feed
    void conclude();  ///< the job has come to its end
    void setState(State state);

    const Job m_job;
    RunConfig m_config;
    RunRecord m_record;
    std::optional<RunSummary> m_summary;
    State m_state = State::Idle;
    bool m_holdAtBlockEnd = false;
    std::unique_ptr<RunFeed> m_feed;        ///< the current or last run's, as the next two
    std::unique_ptr<RunControl> m_control;
    Ending m_ending;                        ///< the thread's to write; read when it is joined
    QTimer m_redraw;
    std::thread m_thread;
};

}  // namespace calibench
