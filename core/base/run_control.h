#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>

namespace calibench {

/// Orders from outside to a run. Any thread may give them; the run obeys in checkpoint(), called in its innermost loops.
class RunControl {
public:
    void request_cancel();
    void pause();
    void resume();
    [[nodiscard]] bool cancel_requested() const { return cancel_.load(std::memory_order_relaxed); }
    [[nodiscard]] bool paused() const { return paused_.load(std::memory_order_relaxed); }

    /// The run's side: throws Cancelled when asked to stop, sleeps while paused.
    void checkpoint();
    /// Called on the run's thread by checkpoint(): true before the sleep, false after it. Null: nobody listens.
    void set_pause_listener(std::function<void(bool paused)> listener) { pause_listener_ = std::move(listener); }

private:
    std::atomic<bool> cancel_{false};
    std::atomic<bool> paused_{false};
    std::mutex mutex_;
    std::condition_variable changed_;
    std::function<void(bool)> pause_listener_;
};

}  // namespace calibench
