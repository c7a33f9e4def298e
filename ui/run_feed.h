#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/calibration/run_events.h"

namespace calibench {

/// What happened in a run since the last look. Histories are complete and in order; of a range or a count only the newest is kept.
struct RunSnapshot {
    std::optional<RunStarted> started;
    std::vector<BlockStarted> blocksStarted;
    std::vector<LossRecorded> losses;
    std::vector<BlockRedone> blocksRedone;
    std::vector<ModuleQuantized> modulesQuantized;
    std::vector<OutputErrorMeasured> outputErrors;
    std::vector<BlockFinished> blocksFinished;
    std::vector<Warning> warnings;
    std::vector<RangeObserved> ranges;  ///< one per module and tap
    std::vector<TokensCounted> tokens;  ///< one per module
    std::optional<Progress> progress;
    std::optional<RecipeChanged> recipe;
    bool pausedOrResumed = false;

    [[nodiscard]] bool empty() const;
};

/// Between the run's thread, which fills it, and the window's, which empties it at its own pace: a run never waits for a
/// repaint, and any rate of events makes one notice. Both sides hold the mutex only to append or to swap.
class RunFeed final : public RunListener {
public:
    /// `notify` is called on the run's thread when something is new and the last notice was answered by a drain().
    explicit RunFeed(std::function<void()> notify) : m_notify(std::move(notify)) {}

    void on_event(const RunEvent& event) override;  ///< run's thread
    [[nodiscard]] RunSnapshot drain();              ///< window's thread

private:
    void append(const RunEvent& event);

    const std::function<void()> m_notify;
    std::mutex m_mutex;
    RunSnapshot m_pending;
    std::unordered_map<std::string, size_t> m_rangeIndex;  ///< "<tap><module>" -> index into m_pending.ranges
    std::unordered_map<std::string, size_t> m_tokenIndex;
    bool m_notified = false;
};

}  // namespace calibench
