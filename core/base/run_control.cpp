#include "core/base/run_control.h"

#include <utility>

#include "core/base/error.h"

namespace calibench {

void RunControl::request_cancel() {
    const std::lock_guard lock(mutex_);
    cancel_ = true;
    changed_.notify_all();
}

void RunControl::pause() {
    const std::lock_guard lock(mutex_);
    paused_ = true;
}

void RunControl::resume() {
    const std::lock_guard lock(mutex_);
    paused_ = false;
    changed_.notify_all();
}

void RunControl::order(BlockOrder order) {
    const std::lock_guard lock(mutex_);
    order_ = std::move(order);
    paused_ = false;
    changed_.notify_all();
}

std::optional<BlockOrder> RunControl::take_order() {
    const std::lock_guard lock(mutex_);
    return std::exchange(order_, std::nullopt);
}

void RunControl::checkpoint() {
    if (cancel_requested()) throw Cancelled();
    if (!paused()) return;
    if (pause_listener_) pause_listener_(true);
    {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return cancel_ || !paused_; });
    }
    if (cancel_requested()) throw Cancelled();
    if (pause_listener_) pause_listener_(false);
}

void RunControl::hold() {
    {
        const std::lock_guard lock(mutex_);
        if (!order_) paused_ = true;
    }
    checkpoint();
}

}  // namespace calibench
