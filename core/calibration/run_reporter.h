#pragma once

#include <memory>

#include "core/base/run_control.h"
#include "core/calibration/progress_estimate.h"
#include "core/calibration/run_directory.h"
#include "core/calibration/run_events.h"
#include "core/calibration/run_warnings.h"

namespace calibench {

/// The run's voice and ear: sends events to the listener and the journal, keeps the progress, obeys cancel and pause.
class RunReporter {
public:
    RunReporter(RunListener& listener, RunControl& control);
    ~RunReporter();
    RunReporter(const RunReporter&) = delete;
    RunReporter& operator=(const RunReporter&) = delete;

    /// From here on events are journalled too.
    void journal_to(std::unique_ptr<RunDirectory> directory) { journal_ = std::move(directory); }
    /// An earlier part of the run has done that many blocks.
    void take_over(int64_t blocks_done) { blocks_done_ = blocks_done; }
    void send(const RunEvent& event);
    /// Of the listener, or the journal.
    [[nodiscard]] bool wants_details() const { return journal_ || listener_.wants_details(); }
    /// The end of the stream: a journal that fails now must not hide how the run ended.
    void send_last(const RunEvent& event) noexcept;

    /// Throws Cancelled when asked to stop, sleeps while paused.
    void checkpoint() { control_.checkpoint(); }
    [[nodiscard]] RunControl& control() { return control_; }

    /// Collects what a person should know of, until send_warnings().
    [[nodiscard]] RunWarnings& warnings() { return warnings_; }
    void send_warnings();

    void start_progress(double total_work, int64_t num_blocks);
    /// Of `together` blocks that are worked on at once the first; from here on work counts for each of them.
    void enter_block(int64_t block, int64_t together = 1) {
        position_.block = block;
        blocks_at_once_ = static_cast<double>(together);
    }
    void enter_stage(const std::string& stage, int64_t iters = 0);
    /// There is that much more to do than was planned, or less.
    void replan(double more_work) { estimate_.replan(blocks_at_once_ * more_work); }
    /// Adds work done, and tells of it at most ten times a second.
    void advance(double work, int64_t iteration = 0);
    [[nodiscard]] double elapsed_seconds() const { return estimate_.elapsed_seconds(); }
    [[nodiscard]] int64_t blocks_done() const { return blocks_done_; }

private:
    void send_progress();

    RunListener& listener_;
    RunControl& control_;
    std::unique_ptr<RunDirectory> journal_;
    RunWarnings warnings_;
    ProgressEstimate estimate_;
    Progress position_;
    int64_t blocks_done_ = 0;
    double blocks_at_once_ = 1;
    std::chrono::steady_clock::time_point last_progress_;
};

}  // namespace calibench
