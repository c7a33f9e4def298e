#include "ui/panels/progress_line.h"

#include <QHBoxLayout>
#include <QLabel>
#include <QProgressBar>

#include <algorithm>
#include <chrono>

#include "ui/format.h"

namespace calibench {

using namespace std::chrono_literals;
using State = RunController::State;

namespace {

constexpr int Steps = 1000;  // finer than the bar is wide

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
      m_block(makeBar(tr("Iterations of this block"), 180)), m_times(new QLabel) {
    auto* layout = new QHBoxLayout(this);
    layout->setContentsMargins(12, 0, 12, 0);
    layout->setSpacing(12);
    layout->addWidget(m_stage);
    layout->addWidget(m_overall, 3);
    layout->addWidget(m_block, 2);
    layout->addWidget(m_times);
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
                if (!text.isEmpty()) text[0] = text[0].toUpper();
                if (progress->num_blocks > 0 && progress->block >= 0 && progress->block < progress->num_blocks)
                    text += tr(", block %1 of %2").arg(progress->block + 1).arg(progress->num_blocks);
            }
            m_stage->setText(state == State::Paused ? tr("Paused: %1").arg(text) : text);
            break;
        }
    }
    showTimes();
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
}

}  // namespace calibench
