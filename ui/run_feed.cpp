#include "ui/run_feed.h"

#include <type_traits>
#include <utility>

namespace calibench {

namespace {

/// Replaces the entry of `key`, or adds one.
template <typename T>
void overwrite(std::vector<T>& entries, std::unordered_map<std::string, size_t>& index, std::string key, const T& entry) {
    const auto [place, isNew] = index.try_emplace(std::move(key), entries.size());
    if (isNew)
        entries.push_back(entry);
    else
        entries[place->second] = entry;
}

}  // namespace

bool RunSnapshot::empty() const {
    return !started && blocksStarted.empty() && losses.empty() && blocksRedone.empty() && modulesQuantized.empty() &&
           outputErrors.empty() && blocksFinished.empty() && warnings.empty() && ranges.empty() && tokens.empty() && !progress && !recipe && !pausedOrResumed;
}

void RunFeed::on_event(const RunEvent& event) {
    {
        const std::lock_guard lock(m_mutex);
        append(event);
        if (std::exchange(m_notified, true)) return;
    }
    m_notify();
}

void RunFeed::append(const RunEvent& event) {
    std::visit(
        [this](const auto& e) {
            using Event = std::decay_t<decltype(e)>;
            if constexpr (std::is_same_v<Event, RunStarted>)
                m_pending.started = e;
            else if constexpr (std::is_same_v<Event, BlockStarted>)
                m_pending.blocksStarted.push_back(e);
            else if constexpr (std::is_same_v<Event, LossRecorded>)
                m_pending.losses.push_back(e);
            else if constexpr (std::is_same_v<Event, BlockRedone>)
                m_pending.blocksRedone.push_back(e);
            else if constexpr (std::is_same_v<Event, ModuleQuantized>)
                m_pending.modulesQuantized.push_back(e);
            else if constexpr (std::is_same_v<Event, OutputErrorMeasured>)
                m_pending.outputErrors.push_back(e);
            else if constexpr (std::is_same_v<Event, BlockFinished>)
                m_pending.blocksFinished.push_back(e);
            else if constexpr (std::is_same_v<Event, Warning>)
                m_pending.warnings.push_back(e);
            else if constexpr (std::is_same_v<Event, RangeObserved>)
                overwrite(m_pending.ranges, m_rangeIndex, std::to_string(static_cast<int>(e.tap)) + e.module, e);
            else if constexpr (std::is_same_v<Event, TokensCounted>)
                overwrite(m_pending.tokens, m_tokenIndex, e.module, e);
            else if constexpr (std::is_same_v<Event, Progress>)
                m_pending.progress = e;
            else if constexpr (std::is_same_v<Event, RecipeChanged>)
                m_pending.recipe = e;
            else if constexpr (std::is_same_v<Event, Paused> || std::is_same_v<Event, Resumed>)
                m_pending.pausedOrResumed = true;
            // How a run ends is the controller's to tell: it sees the job return.
        },
        event);
}

RunSnapshot RunFeed::drain() {
    const std::lock_guard lock(m_mutex);
    m_rangeIndex.clear();
    m_tokenIndex.clear();
    m_notified = false;
    return std::exchange(m_pending, {});
}

}  // namespace calibench
