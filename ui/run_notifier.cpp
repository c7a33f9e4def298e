#include "ui/run_notifier.h"

#include <QApplication>
#include <QSystemTrayIcon>
#include <QWidget>

#include "ui/format.h"
#include "ui/run_controller.h"
#include "ui/settings.h"

namespace calibench {

RunNotifier::RunNotifier(const RunController& controller, const Settings& settings, QWidget* window)
    : QObject(window), m_settings(settings), m_window(window) {
    connect(&controller, &RunController::runStarted, this, [this] { m_sinceStart.start(); });
    connect(&controller, &RunController::runFinished, this, [this](const RunSummary& summary) {
        tell(tr("The run has finished"), tr("%n module(s) quantized in %1.", nullptr, static_cast<int>(summary.num_quantized_modules)));
    });
    connect(&controller, &RunController::runStopped, this, [this] { tell(tr("The run was stopped"), tr("It ran for %1.")); });
    connect(&controller, &RunController::runFailed, this, [this](const QString& message) { tell(tr("The run has failed"), tr("After %1: %2"), message); });
}

bool RunNotifier::worthTelling(double seconds, int threshold, bool windowInFront) { return !windowInFront && threshold >= 0 && seconds >= threshold; }

void RunNotifier::tell(const QString& title, const QString& text, const QString& detail) {
    const double seconds = static_cast<double>(m_sinceStart.elapsed()) / 1000;
    if (!worthTelling(seconds, m_settings.notifySeconds(), m_window->isActiveWindow())) return;
    const QString whole = detail.isEmpty() ? text.arg(formatDuration(seconds)) : text.arg(formatDuration(seconds), detail);
    QApplication::alert(m_window);
    showInTray(title, whole);
    Q_EMIT announced(title, whole);
}

void RunNotifier::showInTray(const QString& title, const QString& text) {
    if (!QSystemTrayIcon::isSystemTrayAvailable() || !QSystemTrayIcon::supportsMessages()) return;
    if (!m_tray) {
        m_tray = new QSystemTrayIcon(m_window->windowIcon(), this);
        m_tray->setToolTip(tr("Calibench"));
        connect(m_tray, &QSystemTrayIcon::messageClicked, this, &RunNotifier::raiseWindow);
        connect(m_tray, &QSystemTrayIcon::activated, this, &RunNotifier::raiseWindow);
    }
    m_tray->show();
    m_tray->showMessage(title, text);
}

void RunNotifier::raiseWindow() {
    m_tray->hide();
    m_window->show();
    m_window->raise();
    m_window->activateWindow();
}

}  // namespace calibench
