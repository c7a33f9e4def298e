#include "ui/run_endings.h"

#include <QDesktopServices>
#include <QFileInfo>
#include <QUrl>

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
        m_messages.post(Kind::Info, tr("Stopped. What was measured stays on screen; nothing was exported."), tr("Run again"), [this] { Q_EMIT runRequested(); });
    });
    connect(&m_controller, &RunController::runFailed, this, [this](const QString& message) {
        m_messages.post(Kind::Error, message, tr("Run again"), [this] { Q_EMIT runRequested(); });
    });
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
    auto* dialog = new ExportDialog(m_controller.summary()->output_dir, name, m_settings, m_window);
    connect(dialog, &ExportDialog::exported, this, [this](const QString& folder) {
        m_messages.post(Kind::Success, tr("Exported to %1").arg(folder), tr("Open folder"), [folder] { QDesktopServices::openUrl(QUrl::fromLocalFile(folder)); });
    });
    dialog->show();
}

void RunEndings::openRunFolder() { QDesktopServices::openUrl(QUrl::fromLocalFile(toText(m_controller.config().run_dir))); }

}  // namespace calibench
