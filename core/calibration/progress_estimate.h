#pragma once

#include <chrono>
#include <optional>

namespace calibench {

/// How far a run is and how long it will still take. Work is counted in forward passes of one sample through one block; time
/// spent paused does not count.
class ProgressEstimate {
public:
    using Clock = std::chrono::steady_clock;

    void start(double total_work);
    void add(double work);
    /// There is that much more to do than was thought, or less.
    void replan(double more_work);
    void pause();
    void resume();

    [[nodiscard]] double fraction() const { return reached_; }  ///< 0 .. 1, never falls
    [[nodiscard]] double elapsed_seconds() const;    ///< since construction, pauses left out
    /// Unset until a hundredth of the work is done: there is nothing to go by.
    [[nodiscard]] std::optional<double> remaining_seconds() const;

private:
    Clock::time_point created_ = Clock::now();
    std::optional<Clock::time_point> paused_since_;
    double paused_seconds_ = 0;
    double seconds_before_work_ = 0;
    double total_ = 0;
    double done_ = 0;
    double reached_ = 0;

    [[nodiscard]] double share_done() const;  ///< falls when there is more to do
};

}  // namespace calibench
