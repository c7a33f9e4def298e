#include "ui/run_controller.h"

#include <chrono>
#include <new>
#include <utility>

#include "core/base/error.h"

namespace calibench {

using namespace std::chrono_literals;

RunController::RunController(Job job, QObject* parent) : QObject(parent), m_job(std::move(job)) {
    m_redraw.setSingleShot(true);
    m_redraw.setInterval(40ms);  // 25 redraws a second at most, whatever the run's pace
    connect(&m_redraw, &QTimer::timeout, this, &RunController::deliver);
}

RunController::~RunController() {
    // The job holds references into this object: it must be over before anything of it goes.
    if (m_control) m_control->request_cancel();
    if (m_thread.joinable()) m_thread.join();
}

bool RunController::active() const {
    return m_state == State::Loading || m_state == State::Running || m_state == State::Paused || m_state == State::Stopping;
}

void RunController::start(RunConfig config, const ModelSummary& model) {
    if (active()) return;
    m_config = std::move(config);
    m_record.begin(model);
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
    if (m_thread.joinable()) m_thread.join();
    const quint64 run = ++m_run;
    m_summary.reset();
    m_control = std::make_shared<RunControl>();
    m_control->hold_at_block_end(m_holdAtBlockEnd);
    m_feed = std::make_shared<RunFeed>([this, run] {
        const auto arm = [this, run] {
            if (run == m_run && !m_redraw.isActive()) m_redraw.start();
        };
        QMetaObject::invokeMethod(this, arm, Qt::QueuedConnection);
    });
    setState(State::Loading);
    Q_EMIT runStarted();
    m_thread = std::jthread([this, run, job = m_job, config = m_config, feed = m_feed, control = m_control] {
        const Ending ending = runJob(job, config, *feed, *control);
        QMetaObject::invokeMethod(this, [this, run, ending] { conclude(run, ending); }, Qt::QueuedConnection);
    });
}

void RunController::show(const StoredRun& run, const ModelSummary& model) {
    if (active()) return;
    ++m_run;
    m_config = run.config;
    m_record.begin(model);
    m_summary.reset();
    RunFeed feed([] {});
    for (const RunEvent& event : run.events) {
        feed.on_event(event);
        if (const auto* finished = std::get_if<RunFinished>(&event)) m_summary = finished->summary;
    }
    const RunSnapshot snapshot = feed.drain();
    m_record.apply(snapshot);
    Q_EMIT snapshotArrived(snapshot);
    using Ending = StoredRun::Ending;
    setState(run.ending == Ending::Finished ? State::Done : run.ending == Ending::Failed ? State::Failed : State::Stopped);
}

void RunController::clear(const ModelSummary& model) {
    if (active()) return;
    m_record.begin(model);
    m_summary.reset();
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
    Q_EMIT snapshotArrived(snapshot);
}

void RunController::conclude(quint64 run, const Ending& ending) {
    if (run != m_run) return;
    m_redraw.stop();
    deliver();
    m_thread.join();
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
