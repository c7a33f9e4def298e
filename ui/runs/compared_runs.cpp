#include "ui/runs/compared_runs.h"

#include <algorithm>
#include <utility>

#include "ui/format.h"

namespace calibench {

namespace {

/// Nothing was added to its journal since.
bool sameRun(const RunFacts& a, const RunFacts& b) {
    return a.run_dir == b.run_dir && a.began == b.began && a.ending == b.ending && a.seconds == b.seconds && a.blocks_done == b.blocks_done;
}

}  // namespace

void ComparedRuns::choose(std::vector<KnownRun> runs) {
    std::vector<ComparedRun> chosen;
    for (KnownRun& run : runs) {
        const auto same = [&](const ComparedRun& other) { return other.facts && run.facts && sameRun(*other.facts, *run.facts); };
        const auto before = std::find_if(m_runs.begin(), m_runs.end(), same);
        auto facts = before == m_runs.end() ? nullptr : before->facts;
        chosen.push_back({std::move(run), std::move(facts)});
    }
    m_runs = std::move(chosen);
    m_error.clear();
    m_task.forget();
    load();
    Q_EMIT changed();
}

void ComparedRuns::load() {
    std::vector<std::filesystem::path> wanted;
    for (const ComparedRun& run : m_runs)
        if (!run.facts && run.known.facts) wanted.push_back(toPath(run.known.directory));
    if (wanted.empty()) return;
    using Facts = std::vector<std::shared_ptr<const RunFacts>>;
    const auto work = [factsOfRun = m_services.factsOfRun, wanted] {
        Facts facts;
        for (const auto& directory : wanted) facts.push_back(std::make_shared<const RunFacts>(factsOfRun(directory)));
        return facts;
    };
    m_task.ask(work, [this, wanted](const Outcome<Facts>& outcome) {
        m_error = outcome.error;
        for (size_t i = 0; outcome.value && i < wanted.size(); ++i)
            for (ComparedRun& run : m_runs)
                if (toPath(run.known.directory) == wanted[i]) run.facts = (*outcome.value)[i];
        Q_EMIT changed();
    });
}

}  // namespace calibench
