#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <string>

namespace calibench {

/// What is to become of the block at work. What is unset stays as it is.
struct BlockOrder {
    enum class Action {
        Redo,    ///< begin this block again with what follows; the finished attempts are kept until one is chosen
        Finish,  ///< no more iterations: take the best iterate so far and go on
    };
    enum class Keep { Better, Newest };  ///< of several attempts, by loss; the last order's counts

    Action action = Action::Redo;
    Keep keep = Keep::Better;
    std::optional<int64_t> iters;
    std::optional<double> lr, minmax_lr;
    std::string recipe_yaml;  ///< empty, or a whole recipe: its schemes for this block's modules are taken from here on
    bool operator==(const BlockOrder&) const = default;
};

/// Orders from outside to a run. Any thread may give them; the run obeys in checkpoint(), called in its innermost loops.
class RunControl {
public:
    void request_cancel();
    void pause();
    void resume();
    /// Takes the place of an order that was not obeyed yet, and wakes a paused run.
    void order(BlockOrder order);
    /// Before the run starts: nobody will give orders, so that it need not keep what only they could ask for.
    void expect_no_orders() { expects_orders_ = false; }
    /// The run pauses when a block's tuning has come to its end, before an attempt is kept: the time to look, and to redo it.
    void hold_at_block_end(bool hold) { hold_at_block_end_ = hold; }

    [[nodiscard]] bool cancel_requested() const { return cancel_.load(std::memory_order_relaxed); }
    [[nodiscard]] bool paused() const { return paused_.load(std::memory_order_relaxed); }

    /// The run's side: throws Cancelled when asked to stop, sleeps while paused.
    void checkpoint();
    /// The run's side: pauses, unless an order waits to be obeyed.
    void hold();
    [[nodiscard]] bool expects_orders() const { return expects_orders_.load(std::memory_order_relaxed); }
    [[nodiscard]] bool holds_at_block_end() const { return hold_at_block_end_.load(std::memory_order_relaxed); }
    /// The run's side: the order, once.
    [[nodiscard]] std::optional<BlockOrder> take_order();
    /// Called on the run's thread by checkpoint(): true before the sleep, false after it. Null: nobody listens.
    void set_pause_listener(std::function<void(bool paused)> listener) { pause_listener_ = std::move(listener); }

private:
    std::atomic<bool> cancel_{false};
    std::atomic<bool> paused_{false};
    std::atomic<bool> hold_at_block_end_{false};
    std::atomic<bool> expects_orders_{true};
    std::optional<BlockOrder> order_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::function<void(bool)> pause_listener_;
};

}  // namespace calibench
