#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>

namespace calibench {

/// Orders from outside to a run. Any thread may call any method; the run calls checkpoint() in its innermost loops.
class RunControl {
public:
    void request_cancel();
    void pause();
    void resume();
    [[nodiscard]] bool cancel_requested() const { return cancel_.load(std::memory_order_relaxed); }
    [[nodiscard]] bool paused() const { return paused_.load(std::memory_order_relaxed); }

    /// Throws Cancelled when asked to stop; sleeps while paused. `on_pause(true)` before the sleep, `on_pause(false)` after it.
    void checkpoint(const std::function<void(bool)>& on_pause = {});

private:
    std::atomic<bool> cancel_{false};
    std::atomic<bool> paused_{false};
    std::mutex mutex_;
    std::condition_variable changed_;
};

}  // namespace calibench
