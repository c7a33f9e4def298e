#include "ui/run_endings.h"

#include <QDesktopServices>
#include <QFileInfo>
#include <QUrl>

#include <algorithm>
#include <vector>

#include "ui/dialogs/export_dialog.h"
#include "ui/format.h"
#include "ui/panels/message_bar.h"
#include "ui/run_controller.h"
#include "ui/run_log.h"
#include "ui/session.h"

namespace calibench {

using Kind = MessageBar::Kind;

RunEndings::RunEndings(const Session& session, RunController& controller, Settings& settings, MessageBar& messages, QWidget* window)
    : QObject(window), m_session(session), m_controller(controller), m_settings(settings), m_messages(messages), m_window(window) {
    connect(&m_controller, &RunController::runStarted, &m_messages, &MessageBar::dismiss);
    connect(&m_controller, &RunController::runFinished, this, &RunEndings::showFinished);
    connect(&m_controller, &RunController::runStopped, this, [this] {
        offerToContinue(tr("Stopped after %1 of %2 blocks. What is done is kept.").arg(blocksDone()).arg(m_controller.record().blocks().size()), false);
    });
    connect(&m_controller, &RunController::runFailed, this, [this](const QString& message) { offerToContinue(message, true); });
}

qsizetype RunEndings::blocksDone() const {
    const auto& blocks = m_controller.record().blocks();
    return std::count_if(blocks.begin(), blocks.end(), [](const BlockRecord& block) { return block.state == BlockRecord::State::Done; });
}

void RunEndings::offerToContinue(const QString& what, bool failed) {
    std::vector<MessageBar::Choice> choices;
    if (m_controller.canContinue()) choices.push_back({tr("Continue"), [this] { m_controller.continueRun(); }});
    choices.push_back({tr("Run again"), [this] { Q_EMIT runRequested(); }});
    m_messages.post(failed ? Kind::Error : Kind::Info, what, choices);
}

void RunEndings::showEarlierRun() {
    if (m_controller.summary()) return showFinished(*m_controller.summary());
    const bool failed = m_controller.state() == RunController::State::Failed;
    offerToContinue((failed ? tr("The last run failed after %1 of %2 blocks. What is done is kept.") : tr("The last run did not finish: %1 of %2 blocks are done and kept."))
                        .arg(blocksDone()).arg(m_controller.record().blocks().size()), false);
}

void RunEndings::showFinished(const RunSummary& summary) {
    QString text = tr("Finished in %1: %n module(s) quantized", nullptr, static_cast<int>(summary.num_quantized_modules)).arg(formatDuration(summary.seconds));
    if (const QString change = lossChange(summary.mean_initial_loss_mse, summary.mean_best_loss_mse); !change.isEmpty())
        text += tr(", mean loss %1 → %2 (%3)").arg(formatNumber(summary.mean_initial_loss_mse), formatNumber(summary.mean_best_loss_mse), change);
    if (summary.output_bytes > 0) text += tr(", checkpoint %1").arg(formatBytes(static_cast<double>(summary.output_bytes)));
    m_messages.post(Kind::Success, text + QLatin1Char('.'), tr("Export…"), [this] { showExportDialog(); });
}

void RunEndings::showExportDialog() {
    if (!m_controller.summary()) return;
    const QString name = QFileInfo(m_session.modelFolder()).fileName() + QStringLiteral("-quantized");
    auto* dialog = new ExportDialog(m_session.services(), {.checkpoint = m_controller.summary()->output_dir, .config = m_controller.config(), .name = name}, m_settings, m_window);
    connect(dialog, &ExportDialog::exported, this, [this](const QString& place) {
        const QString folder = QFileInfo(place).isDir() ? place : QFileInfo(place).path();
        m_messages.post(Kind::Success, tr("Exported to %1").arg(place), tr("Open folder"), [folder] { QDesktopServices::openUrl(QUrl::fromLocalFile(folder)); });
    });
    dialog->show();
}

void RunEndings::openRunFolder() { QDesktopServices::openUrl(QUrl::fromLocalFile(toText(m_controller.config().run_dir))); }

}  // namespace calibench
