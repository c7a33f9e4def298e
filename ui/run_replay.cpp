#include "ui/run_replay.h"

#include <utility>
#include <variant>

namespace calibench {

RunReplay replay(const StoredRun& run, const ModelSummary& model) {
    RunReplay shown{.config = run.config, .ending = run.ending, .summary = {}, .record = {}, .snapshots = {}};
    shown.record.begin(model);
    RunFeed feed([] {});
    const auto take = [&] {
        RunSnapshot snapshot = feed.drain();
        if (snapshot.empty()) return;
        shown.record.apply(snapshot);
        shown.snapshots.push_back(std::move(snapshot));
    };
    for (const RunEvent& event : run.events) {
        if (std::holds_alternative<RunStarted>(event)) take();  // each time the run went on, it began its unfinished block anew
        feed.on_event(event);
        if (const auto* finished = std::get_if<RunFinished>(&event)) shown.summary = finished->summary;
    }
    take();
    return shown;
}

}  // namespace calibench
