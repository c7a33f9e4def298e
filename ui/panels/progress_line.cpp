#include "ui/panels/progress_line.h"

#include <QHBoxLayout>
#include <QLabel>
#include <QLocale>
#include <QProgressBar>

#include <algorithm>
#include <chrono>
#include <cmath>

#include "ui/format.h"
#include "ui/run_log.h"

namespace calibench {

using namespace std::chrono_literals;
using State = RunController::State;

namespace {

constexpr int Steps = 1000;  // finer than the bar is wide

/// Null when it is not known, or has no loss yet.
const BlockRecord* blockAtWork(const RunRecord& record) {
    const auto& progress = record.progress();
    if (!progress || progress->iteration <= 0 || progress->block < 0 || static_cast<size_t>(progress->block) >= record.blocks().size()) return nullptr;
    const BlockRecord& block = record.blocks()[static_cast<size_t>(progress->block)];
    return block.losses().empty() ? nullptr : &block;
}

QProgressBar* makeBar(const QString& name, int maximumWidth) {
    auto* bar = new QProgressBar;
    bar->setRange(0, Steps);
    bar->setAccessibleName(name);
    bar->setToolTip(name);
    bar->setMaximumWidth(maximumWidth);
    bar->setMinimumWidth(70);
    return bar;
}

}  // namespace

ProgressLine::ProgressLine(const RunController& controller, QWidget* parent)
    : QWidget(parent), m_controller(controller), m_stage(new QLabel), m_overall(makeBar(tr("The whole run"), 260)),
      m_block(makeBar(tr("Iterations of this block"), 180)), m_loss(new QLabel), m_speed(new QLabel), m_times(new QLabel) {
    auto* layout = new QHBoxLayout(this);
    layout->setContentsMargins(12, 0, 12, 0);
    layout->setSpacing(12);
    layout->addWidget(m_stage);
    layout->addWidget(m_overall, 3);
    layout->addWidget(m_block, 2);
    for (QLabel* label : {m_loss, m_speed, m_times}) layout->addWidget(label);
    layout->addStretch(0);
    // The usual texts have room from the start, so that the bars stay where they are.
    m_stage->setMinimumWidth(fontMetrics().horizontalAdvance(tr("Calibrating, block 10 of 10")));
    m_times->setMinimumWidth(fontMetrics().horizontalAdvance(QStringLiteral("00:00, 00:00 ") + tr("left")));

    m_clock.setInterval(1s);
    connect(&m_clock, &QTimer::timeout, this, &ProgressLine::showTimes);
    connect(&m_controller, &RunController::stateChanged, this, &ProgressLine::showState);
    connect(&m_controller, &RunController::snapshotArrived, this, [this](const RunSnapshot& snapshot) {
        if (snapshot.progress) showProgress();
    });
    showState();
}

QString ProgressLine::stageText() const { return m_stage->text(); }

void ProgressLine::showState() {
    const State state = m_controller.state();
    if (state != State::Running) m_speedFrom.reset();
    const bool visible = state != State::Idle;
    for (QWidget* part : {static_cast<QWidget*>(m_overall), static_cast<QWidget*>(m_times)}) part->setVisible(visible);
    if (m_controller.active())
        m_clock.start();
    else
        m_clock.stop();
    if (state == State::Loading) {
        m_sinceProgress.start();
        m_overall->setRange(0, 0);  // busy until there is something to go by
        m_times->clear();
    } else if (m_overall->maximum() == 0) {
        m_overall->setRange(0, Steps);
        m_overall->setValue(0);
    }
    if (state == State::Done) m_overall->setValue(Steps);
    showProgress();
}

void ProgressLine::showProgress() {
    const State state = m_controller.state();
    const auto& progress = m_controller.record().progress();
    m_sinceProgress.start();
    const bool iterating = progress && progress->iters > 0 && progress->iteration > 0 && m_controller.active();
    m_block->setVisible(iterating);
    if (iterating) {
        m_block->setValue(static_cast<int>(Steps * progress->iteration / progress->iters));
        m_block->setFormat(tr("%1 / %2").arg(progress->iteration).arg(progress->iters));
    }
    if (progress && m_overall->maximum() != 0 && state != State::Done)
        m_overall->setValue(static_cast<int>(Steps * std::clamp(progress->fraction, 0.0, 1.0)));

    switch (state) {
        case State::Idle: m_stage->clear(); break;
        case State::Loading: m_stage->setText(tr("Reading model and text")); break;
        case State::Stopping: m_stage->setText(tr("Stopping…")); break;
        case State::Done: m_stage->setText(tr("Finished")); break;
        case State::Stopped: m_stage->setText(tr("Stopped")); break;
        case State::Failed: m_stage->setText(tr("Failed")); break;
        case State::Running:
        case State::Paused: {
            QString text = tr("Running");
            if (progress) {
                text = QString::fromStdString(progress->stage);
                const auto& started = m_controller.record().started();
                if (started && progress->block < started->reused_blocks && progress->stage == "restoring") text = tr("taking over");
                if (!text.isEmpty()) text[0] = text[0].toUpper();
                if (progress->num_blocks > 0 && progress->block >= 0 && progress->block < progress->num_blocks)
                    text += tr(", block %1 of %2").arg(progress->block + 1).arg(progress->num_blocks);
                if (const BlockRecord* block = blockAtWork(m_controller.record()); block && block->attempts.size() > 1)
                    text += tr(", attempt %1").arg(block->attempts.size());
            }
            m_stage->setText(state == State::Paused ? tr("Paused: %1").arg(text) : text);
            break;
        }
    }
    showLoss();
    showSpeed();
    showTimes();
}

void ProgressLine::showLoss() {
    const BlockRecord* block = m_controller.active() ? blockAtWork(m_controller.record()) : nullptr;
    m_loss->setVisible(block && block->best());
    if (!m_loss->isVisibleTo(this)) return;
    const double first = block->losses().points().front().y, best = block->best()->y;
    m_loss->setText(tr("loss %1 → %2").arg(formatNumber(first), formatNumber(best)));
    m_loss->setToolTip(tr("Loss of this block\nFirst: %1\nBest: %2 at iteration %3 (%4)")
                           .arg(formatExact(first), formatExact(best), formatCount(static_cast<int64_t>(block->best()->x)), lossChange(first, best)));
}

void ProgressLine::showSpeed() {
    const auto& record = m_controller.record();
    const auto& now = record.progress();
    const bool tuning = m_controller.state() == State::Running && now && now->iteration > 0 && record.started();
    if (!tuning)
        m_speedFrom.reset();
    else if (!m_speedFrom || m_speedFrom->block != now->block || now->iteration < m_speedFrom->iteration)
        m_speedFrom = now;
    const double seconds = tuning ? now->elapsed_seconds - m_speedFrom->elapsed_seconds : 0;
    m_speed->setVisible(seconds > 0 && record.started()->batch_size > 0);
    if (!m_speed->isVisibleTo(this)) return;
    const double iterations = static_cast<double>(now->iteration - m_speedFrom->iteration) / seconds;
    const double tokens = iterations * static_cast<double>(record.started()->batch_size * record.started()->seq_len);
    m_speed->setText(tr("%1 tokens/s").arg(formatCount(std::llround(tokens))));
    m_speed->setToolTip(tr("%1 iterations a second, each of %2 samples of %3 tokens")
                            .arg(formatExact(iterations), formatCount(record.started()->batch_size), formatCount(record.started()->seq_len)));
}

void ProgressLine::showTimes() {
    const auto& progress = m_controller.record().progress();
    if (!progress) {
        m_times->setText(m_controller.active() ? formatDuration(static_cast<double>(m_sinceProgress.elapsed()) / 1000) : QString());
        return;
    }
    // Between two events the clock goes on, except while nothing happens on purpose.
    const bool ticking = m_controller.state() == State::Running || m_controller.state() == State::Stopping;
    const double since = ticking ? static_cast<double>(m_sinceProgress.elapsed()) / 1000 : 0;
    QString text = formatDuration(progress->elapsed_seconds + since);
    if (m_controller.active() && progress->remaining_seconds)
        text += tr(", %1 left").arg(formatDuration(std::max(0.0, *progress->remaining_seconds - since)));
    m_times->setText(text);
    m_times->setToolTip(tr("Since the run began: %1 s").arg(QLocale().toString(progress->elapsed_seconds + since, 'f', 1)) +
                        (progress->remaining_seconds ? tr("\nLeft, by what is done so far: %1 s").arg(QLocale().toString(std::max(0.0, *progress->remaining_seconds - since), 'f', 1)) : QString()));
}

}  // namespace calibench
