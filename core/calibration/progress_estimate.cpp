#include "core/calibration/progress_estimate.h"

#include <algorithm>

namespace calibench {

static double seconds_since(ProgressEstimate::Clock::time_point start) {
    return std::chrono::duration<double>(ProgressEstimate::Clock::now() - start).count();
}

void ProgressEstimate::start(double total_work) {
    total_ = total_work;
    seconds_before_work_ = elapsed_seconds();
}

void ProgressEstimate::pause() {
    paused_since_ = Clock::now();
}

void ProgressEstimate::resume() {
    if (paused_since_) paused_seconds_ += seconds_since(*paused_since_);
    paused_since_.reset();
}

void ProgressEstimate::add(double work) {
    done_ += work;
    reached_ = std::max(reached_, share_done());
}

void ProgressEstimate::replan(double more_work) {
    total_ += more_work;
    reached_ = std::max(reached_, share_done());
}

double ProgressEstimate::share_done() const {
    return total_ > 0 ? std::min(1.0, done_ / total_) : 0;
}

double ProgressEstimate::elapsed_seconds() const {
    const double paused_now = paused_since_ ? seconds_since(*paused_since_) : 0;
    return seconds_since(created_) - paused_seconds_ - paused_now;
}

std::optional<double> ProgressEstimate::remaining_seconds() const {
    const double share = share_done();
    if (share < 0.01) return {};
    return (elapsed_seconds() - seconds_before_work_) * (1 - share) / share;
}

}  // namespace calibench
