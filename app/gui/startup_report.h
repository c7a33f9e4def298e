#pragma once

#include <QObject>

namespace calibench {

class MainWindow;

/// Says on stdout "window" when the window has been painted and answers, and "demo" when the demo is open and its recipe
/// checked; then quits. For calibench-window-bench, which looks at the clock.
class StartupReport : public QObject {
public:
    explicit StartupReport(MainWindow& window);

protected:
    bool eventFilter(QObject* watched, QEvent* event) override;

private:
    void look();

    MainWindow& m_window;
    bool m_painted = false;
    bool m_toldOfWindow = false;
};

}  // namespace calibench
