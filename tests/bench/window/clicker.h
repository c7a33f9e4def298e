#pragma once

#include <QObject>
#include <QPoint>
#include <QPointer>

#include <vector>

#include "tests/bench/window/event_loop_watch.h"

class QWidget;

namespace calibench {
class MainWindow;
}

namespace calibench::bench {

/// Clicks about in the window, in turn on a row of the tree, the next tab and the plot in sight, and takes the time until the
/// click was handled and what was clicked on has been painted again.
class Clicker : public QObject {
    Q_OBJECT

public:
    struct Click {
        QString where;
        double latency_ms = 0;
    };

    explicit Clicker(MainWindow& window) : m_window(window) {}

    void click(Clock::time_point asked);  ///< one at a time: ignored until the last one has been painted
    [[nodiscard]] const std::vector<Click>& clicks() const { return m_clicks; }

protected:
    bool eventFilter(QObject* watched, QEvent* event) override;

private:
    struct Target {
        QString where;
        QWidget* widget = nullptr;
        QPoint at;
    };
    [[nodiscard]] Target nextTarget();
    [[nodiscard]] Target treeRow() const;
    [[nodiscard]] Target nextTab() const;
    [[nodiscard]] Target plot() const;

    MainWindow& m_window;
    unsigned m_turn = 0;
    QPointer<QWidget> m_waitingFor;
    QString m_where;
    Clock::time_point m_asked;
    std::vector<Click> m_clicks;
};

}  // namespace calibench::bench
