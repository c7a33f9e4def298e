#include "core/calibration/run_reporter.h"

namespace calibench {

static constexpr std::chrono::milliseconds progress_interval{100};

RunReporter::RunReporter(RunListener& listener, RunControl& control) : listener_(listener), control_(control) {
    control_.set_pause_listener([this](bool paused) {
        paused ? estimate_.pause() : estimate_.resume();
        send(paused ? RunEvent(Paused{}) : RunEvent(Resumed{}));
    });
}

RunReporter::~RunReporter() { control_.set_pause_listener(nullptr); }

void RunReporter::send(const RunEvent& event) {
    if (std::holds_alternative<BlockFinished>(event)) ++blocks_done_;
    if (journal_) journal_->append(event);
    listener_.on_event(event);
}

void RunReporter::send_last(const RunEvent& event) noexcept {
    try {
        if (journal_) journal_->append(event);
    } catch (const std::exception&) {
        journal_.reset();
    }
    listener_.on_event(event);
}

void RunReporter::send_warnings() {
    for (const Warning& warning : warnings_.take()) send(warning);
}

void RunReporter::start_progress(double total_work, int64_t num_blocks) {
    estimate_.start(total_work);
    position_.num_blocks = num_blocks;
}

void RunReporter::enter_stage(const std::string& stage, int64_t iters) {
    position_.stage = stage;
    position_.iteration = 0;
    position_.iters = iters;
    send_progress();
}

void RunReporter::advance(double work, int64_t iteration) {
    estimate_.add(blocks_at_once_ * work);
    position_.iteration = iteration;
    if (std::chrono::steady_clock::now() - last_progress_ >= progress_interval) send_progress();
}

void RunReporter::send_progress() {
    position_.fraction = estimate_.fraction();
    position_.elapsed_seconds = estimate_.elapsed_seconds();
    position_.remaining_seconds = estimate_.remaining_seconds();
    last_progress_ = std::chrono::steady_clock::now();
    send(position_);
}

}  // namespace calibench
