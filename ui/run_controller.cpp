#include "ui/run_controller.h"

#include <chrono>
#include <new>
#include <utility>

#ifdef __linux__
#include <sys/resource.h>
#include <unistd.h>
#endif

#include "core/base/error.h"

namespace calibench {

using namespace std::chrono_literals;

/// The window answers first: the calling thread, and every thread that it starts from now on, gives way to it. Only Linux
/// has priorities by thread.
static void giveWayToTheWindow() {
#ifdef __linux__
    setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), 5);
#endif
}

RunController::RunController(Job job, QObject* parent) : QObject(parent), m_job(std::move(job)) {
    m_redraw.setSingleShot(true);
    m_redraw.setInterval(100ms);  // ten redraws a second at most, whatever the run's pace: its cores are worth more
    connect(&m_redraw, &QTimer::timeout, this, &RunController::deliver);
    const auto arm = [this] {
        if (!m_redraw.isActive()) m_redraw.start();
    };
    connect(this, &RunController::feedFilled, this, arm, Qt::QueuedConnection);
    connect(this, &RunController::jobEnded, this, &RunController::conclude, Qt::QueuedConnection);
}

RunController::~RunController() {
    // The job holds references into this object: it must be over before anything of it goes.
    if (!m_thread.joinable()) return;
    m_control->request_cancel();
    m_thread.join();
}

bool RunController::active() const {
    return m_state == State::Loading || m_state == State::Running || m_state == State::Paused || m_state == State::Stopping;
}

void RunController::start(RunConfig config, const ModelSummary& model) {
    if (active()) return;
    m_config = std::move(config);
    m_record.begin(model);
    Q_EMIT recordCleared();
    launch();
}

bool RunController::canContinue() const {
    return (m_state == State::Stopped || m_state == State::Failed) && !m_config.run_dir.empty() && m_record.started();
}

void RunController::continueRun() {
    if (!canContinue()) return;
    m_config.resume = true;
    launch();
}

void RunController::launch() {
    m_summary.reset();
    m_control = std::make_unique<RunControl>();
    m_control->hold_at_block_end(m_holdAtBlockEnd);
    m_feed = std::make_unique<RunFeed>([this] { Q_EMIT feedFilled(QPrivateSignal()); });
    setState(State::Loading);
    Q_EMIT runStarted();
    m_thread = std::thread([this, job = m_job, config = m_config, &feed = *m_feed, &control = *m_control] {
        giveWayToTheWindow();
        m_ending = runJob(job, config, feed, control);
        Q_EMIT jobEnded(QPrivateSignal());
    });
}

void RunController::show(RunReplay run) {
    if (active()) return;
    m_config = std::move(run.config);
    m_record = {};
    m_summary.reset();
    Q_EMIT recordCleared();
    m_record = std::move(run.record);
    m_summary = std::move(run.summary);
    for (const RunSnapshot& snapshot : run.snapshots) Q_EMIT snapshotArrived(snapshot);
    using Ending = StoredRun::Ending;
    setState(run.ending == Ending::Finished ? State::Done : run.ending == Ending::Failed ? State::Failed : State::Stopped);
}

void RunController::clear(const ModelSummary& model) {
    if (active()) return;
    m_record.begin(model);
    m_summary.reset();
    Q_EMIT recordCleared();
    setState(State::Idle);
}

RunController::Ending RunController::runJob(const Job& job, const RunConfig& config, RunListener& feed, RunControl& control) {
    try {
        return job(config, feed, control);
    } catch (const Cancelled&) {
        return Stopped{};
    } catch (const std::bad_alloc&) {
        return Failure{tr("The run needs more memory than there is. Use a smaller batch_size, sequence length or number of samples.")};
    } catch (const std::exception& error) {
        return Failure{QString::fromUtf8(error.what())};
    }
}

void RunController::requestPause() {
    if (m_state != State::Running) return;
    m_control->pause();
    setState(State::Paused);
}

void RunController::requestResume() {
    if (m_state != State::Paused) return;
    m_control->resume();
    setState(State::Running);
}

void RunController::requestStop() {
    if (!active() || m_state == State::Stopping) return;
    m_control->request_cancel();
    setState(State::Stopping);
}

void RunController::order(const BlockOrder& order) {
    if (!active() || m_state == State::Stopping) return;
    m_control->order(order);
    if (m_state == State::Paused) setState(State::Running);
}

void RunController::setHoldAtBlockEnd(bool hold) {
    m_holdAtBlockEnd = hold;
    if (m_control) m_control->hold_at_block_end(hold);
}

void RunController::deliver() {
    const RunSnapshot snapshot = m_feed->drain();
    if (snapshot.empty()) return;
    m_record.apply(snapshot);
    if (snapshot.started && m_state == State::Loading) setState(State::Running);
    // The run also pauses itself. Its control says how things stand now; the event may be older than the user's last order.
    if (snapshot.pausedOrResumed && (m_state == State::Running || m_state == State::Paused))
        setState(m_control->paused() ? State::Paused : State::Running);
    if (snapshot.recipe) {
        const std::string before = std::exchange(m_config.recipe_yaml, snapshot.recipe->recipe_yaml);
        Q_EMIT recipeChanged(QString::fromStdString(before), QString::fromStdString(m_config.recipe_yaml));
    }
    Q_EMIT snapshotArrived(snapshot);
}

void RunController::conclude() {
    m_redraw.stop();
    deliver();
    m_thread.join();  // its job is over: this does not wait
    const Ending ending = std::move(m_ending);
    if (const auto* summary = std::get_if<RunSummary>(&ending)) {
        m_summary = *summary;
        setState(State::Done);
        Q_EMIT runFinished(*summary);
    } else if (const auto* failure = std::get_if<Failure>(&ending)) {
        setState(State::Failed);
        Q_EMIT runFailed(failure->message);
    } else {
        setState(State::Stopped);
        Q_EMIT runStopped();
    }
}

void RunController::setState(State state) {
    if (std::exchange(m_state, state) != state) Q_EMIT stateChanged(state);
}

}  // namespace calibench
