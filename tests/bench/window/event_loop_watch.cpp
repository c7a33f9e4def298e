#include "tests/bench/window/event_loop_watch.h"

#include <QCoreApplication>
#include <QEvent>

#include <utility>

namespace calibench::bench {

using namespace std::chrono_literals;

namespace {

const auto BeatType = static_cast<QEvent::Type>(QEvent::registerEventType());
const auto ClickType = static_cast<QEvent::Type>(QEvent::registerEventType());

struct TimedEvent : QEvent {
    using QEvent::QEvent;
    const Clock::time_point posted = Clock::now();
};

}  // namespace

EventLoopWatch::EventLoopWatch(std::function<void(Clock::time_point)> click, std::function<QString()> doing)
    : m_click(std::move(click)), m_doing(std::move(doing)) {}

EventLoopWatch::~EventLoopWatch() { stop(); }

void EventLoopWatch::start() {
    m_start = Clock::now();
    m_thread = std::jthread([this](const std::stop_token& stop) {
        Clock::time_point next = Clock::now();
        for (int beat = 1; !stop.stop_requested(); ++beat) {
            QCoreApplication::postEvent(this, new TimedEvent(BeatType));
            if (beat % 50 == 0) QCoreApplication::postEvent(this, new TimedEvent(ClickType));
            // This thread may wait for a core itself: a beat that it missed says nothing of the window.
            next = std::max(next + 5ms, Clock::now());
            std::this_thread::sleep_until(next);
        }
    });
}

void EventLoopWatch::stop() {
    if (!m_thread.joinable()) return;
    m_thread.request_stop();
    m_thread.join();
}

bool EventLoopWatch::event(QEvent* event) {
    if (event->type() != BeatType && event->type() != ClickType) return QObject::event(event);
    const Clock::time_point posted = static_cast<TimedEvent*>(event)->posted;
    if (event->type() == ClickType)
        m_click(posted);
    else
        m_answers.push_back({std::chrono::duration<double>(posted - m_start).count(), millisecondsSince(posted), m_doing()});
    return true;
}

}  // namespace calibench::bench
