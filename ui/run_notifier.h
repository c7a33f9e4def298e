#pragma once

#include <QElapsedTimer>
#include <QObject>

class QSystemTrayIcon;
class QWidget;

namespace calibench {

class RunController;
class Settings;

/// Tells of the end of a long run when the window is not in front: the task bar's entry asks for attention, and the desktop
/// shows a message where it can.
class RunNotifier : public QObject {
    Q_OBJECT

public:
    /// `window` is the one that may be in front, and the parent of this object.
    RunNotifier(const RunController& controller, const Settings& settings, QWidget* window);

    [[nodiscard]] static bool worthTelling(double seconds, int threshold, bool windowInFront);

Q_SIGNALS:
    void announced(const QString& title, const QString& text);

private:
    void tell(const QString& title, const QString& text, const QString& detail = {});  ///< %1 in text: how long it ran; %2: detail
    void showInTray(const QString& title, const QString& text);
    void raiseWindow();

    const Settings& m_settings;
    QWidget* m_window;
    QSystemTrayIcon* m_tray = nullptr;
    QElapsedTimer m_sinceStart;
};

}  // namespace calibench
