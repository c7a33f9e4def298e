#include "ui/run_log.h"

#include <cmath>

#include "ui/format.h"
#include "ui/models/log_model.h"
#include "ui/models/warning_model.h"
#include "ui/run_controller.h"

namespace calibench {

using Severity = LogModel::Severity;

QString lossChange(double initial, double best) {
    if (!(initial > 0) || !std::isfinite(best)) return {};
    const double percent = std::round(1000 * (best / initial - 1)) / 10;
    return QStringLiteral("%1 %").arg(percent == 0 ? 0.0 : percent, 0, 'f', 1);  // no "-0.0"
}

RunLog::RunLog(RunController& controller, LogModel& log, WarningModel& warnings, QObject* parent)
    : QObject(parent), m_controller(controller), m_log(log), m_warnings(warnings) {
    connect(&controller, &RunController::recordCleared, this, [this] {
        m_log.clear();
        m_warnings.clear();
    });
    connect(&controller, &RunController::runStarted, this, [this] {
        m_log.add(Severity::Info, m_controller.config().resume ? tr("Run goes on") : tr("Run started"));
    });
    connect(&controller, &RunController::snapshotArrived, this, &RunLog::apply);
    connect(&controller, &RunController::runFinished, this, [this](const RunSummary& summary) {
        m_log.add(Severity::Info, tr("Finished in %1").arg(formatDuration(summary.seconds)));
    });
    connect(&controller, &RunController::runStopped, this, [this] { m_log.add(Severity::Info, tr("Stopped")); });
    connect(&controller, &RunController::runFailed, this, [this](const QString& message) { m_log.add(Severity::Error, message); });
}

QString RunLog::nameOf(int64_t block) const {
    const auto& blocks = m_controller.record().blocks();
    return block >= 0 && static_cast<size_t>(block) < blocks.size() ? QString::fromStdString(blocks[static_cast<size_t>(block)].name) : QString();
}

void RunLog::apply(const RunSnapshot& snapshot) {
    if (const auto& run = snapshot.started)
        m_log.add(Severity::Info, tr("%1 on %2 as %3: %4 modules in %5 blocks, %6 samples of %7 tokens, %8")
                                      .arg(QString::fromStdString(run->model), QString::fromStdString(run->device), QString::fromStdString(run->dtype))
                                      .arg(run->num_quantized_modules)
                                      .arg(run->num_blocks)
                                      .arg(run->num_samples)
                                      .arg(run->seq_len)
                                      .arg(run->iters > 0 ? tr("%n iteration(s) per block", nullptr, static_cast<int>(run->iters)) : tr("round to nearest")));
    if (const auto& run = snapshot.started; run && run->reused_blocks > 0)
        m_log.add(Severity::Info, tr("%1 of %2 blocks are taken over from %3 (%4)")
                                      .arg(run->reused_blocks)
                                      .arg(run->num_blocks)
                                      .arg(toText(m_controller.config().reuse), run->reuse_end.empty() ? tr("nothing that concerns blocks has changed") : QString::fromStdString(run->reuse_end)));
    else if (run && !run->reuse_end.empty())
        m_log.add(Severity::Info, tr("No block is taken over from %1: %2").arg(toText(m_controller.config().reuse), QString::fromStdString(run->reuse_end)));
    if (!snapshot.warnings.empty()) m_warnings.add(snapshot.warnings);
    for (const BlockRedone& redone : snapshot.blocksRedone)
        m_log.add(Severity::Info, tr("Block %1 begun again, attempt %2: %3").arg(redone.block).arg(redone.attempt + 1).arg(QString::fromStdString(redone.changes)),
                  nameOf(redone.block));
    for (const BlockFinished& block : snapshot.blocksFinished) {
        const QString change = lossChange(block.initial_loss_mse, block.best_loss_mse);
        m_log.add(Severity::Info, change.isEmpty()
                                      ? tr("Block %1 done in %2").arg(block.block).arg(formatDuration(block.seconds))
                                      : tr("Block %1 done in %2: loss %3 → %4 (%5)")
                                            .arg(block.block)
                                            .arg(formatDuration(block.seconds), formatNumber(block.initial_loss_mse), formatNumber(block.best_loss_mse), change),
                  nameOf(block.block));
    }
}

}  // namespace calibench
