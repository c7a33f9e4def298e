#pragma once

#include <QObject>

#include <chrono>
#include <functional>
#include <thread>
#include <vector>

namespace calibench::bench {

using Clock = std::chrono::steady_clock;

[[nodiscard]] inline double millisecondsSince(Clock::time_point start) {
    return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

/// How long the window's event loop takes to answer. A thread posts an event every 5 ms, whether or not the last one was answered
/// (a stall of 300 ms thus counts as the 60 answers it delayed), and every 250 ms asks for a click.
class EventLoopWatch : public QObject {
    Q_OBJECT

public:
    struct Answer {
        double at_s = 0;        ///< when it was asked for, since start()
        double latency_ms = 0;  ///< until the loop came to it
        QString doing;          ///< what was going on when it did
    };

    /// `click` is called on the window's thread with the time at which it was asked for; `doing` says what is going on.
    EventLoopWatch(std::function<void(Clock::time_point)> click, std::function<QString()> doing);
    ~EventLoopWatch() override;

    void start();
    void stop();  ///< answers that are due still come
    [[nodiscard]] const std::vector<Answer>& answers() const { return m_answers; }

protected:
    bool event(QEvent* event) override;

private:
    const std::function<void(Clock::time_point)> m_click;
    const std::function<QString()> m_doing;
    Clock::time_point m_start;
    std::vector<Answer> m_answers;
    std::jthread m_thread;
};

}  // namespace calibench::bench
