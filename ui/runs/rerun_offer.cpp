#include "ui/runs/rerun_offer.h"

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

#include "ui/background.h"
#include "ui/format.h"
#include "ui/run_controller.h"
#include "ui/session.h"

namespace calibench {

using namespace std::chrono_literals;

namespace {

constexpr size_t MostAsked = 3;  // runs, the newest first: each takes as long as preparing a run

}  // namespace

RerunOffer::RerunOffer(const Session& session, const RunController& controller, const RunList& runs, std::function<RunConfig()> config, QObject* parent)
    : QObject(parent), m_session(session), m_controller(controller), m_runs(runs), m_config(std::move(config)) {
    m_delay.setSingleShot(true);
    m_delay.setInterval(500ms);
    connect(&m_delay, &QTimer::timeout, this, &RerunOffer::ask);
    connect(&m_session, &Session::readinessChanged, this, &RerunOffer::update);
    connect(&m_controller, &RunController::stateChanged, this, &RerunOffer::update);
    connect(&m_runs, &RunList::progressed, this, &RerunOffer::update);
    update();
}

void RerunOffer::update() {
    m_task.forget();
    m_delay.stop();
    if (m_controller.active()) return set({}, tr("A run is at work."));
    if (const QString obstacle = m_session.obstacle(); !obstacle.isEmpty()) return set({}, obstacle);
    if (!m_offer) set({}, tr("Earlier runs are being looked at."));
    m_delay.start();
}

void RerunOffer::ask() {
    const RunConfig config = m_config();
    const auto fits = [&](const KnownRun& run) {
        if (!run.facts || run.facts->at_work || run.facts->blocks_done == 0) return false;
        const RunConfig& before = run.facts->config;
        return before.model_dir == config.model_dir && before.dataset == config.dataset && before.num_samples == config.num_samples &&
               before.seq_len == config.seq_len && before.seed == config.seed;
    };
    std::vector<const KnownRun*> candidates;
    for (const KnownRun& run : m_runs.runs())
        if (fits(run)) candidates.push_back(&run);
    if (candidates.empty()) return set({}, m_runs.busy() ? tr("Earlier runs are being looked at.") : tr("There is no earlier run of this model on the same text, samples and seed."));
    std::sort(candidates.begin(), candidates.end(), [](const KnownRun* a, const KnownRun* b) { return a->facts->began > b->facts->began; });
    candidates.resize(std::min(candidates.size(), MostAsked));
    std::vector<Offer> offers;
    for (const KnownRun* run : candidates) offers.push_back({.directory = run->directory, .title = run->title()});

    const auto work = [previewReuse = m_session.services().previewReuse, config = RunConfig(config), offers = std::move(offers)]() mutable {
        Offer best;
        for (Offer& offer : offers) {
            config.reuse = toPath(offer.directory);
            try {
                offer.preview = previewReuse(config);
            } catch (const std::exception& error) {
                offer.preview.end = error.what();
            }
            if (best.directory.isEmpty() || offer.preview.num_blocks > best.preview.num_blocks) best = offer;
            if (best.preview.num_blocks > 0 && best.preview.num_blocks == best.preview.all_blocks) break;
        }
        return best;
    };
    m_task.ask(work, [this](const Outcome<Offer>& outcome) {
        if (!outcome.value) return set({}, outcome.error);
        if (outcome.value->preview.num_blocks > 0) return set(outcome.value, {});
        set({}, tr("Nothing can be taken over from “%1”: %2").arg(outcome.value->title, QString::fromStdString(outcome.value->preview.end)));
    });
}

void RerunOffer::set(std::optional<Offer> offer, const QString& obstacle) {
    m_offer = std::move(offer);
    m_obstacle = obstacle;
    Q_EMIT changed();
}

QString RerunOffer::text() const {
    if (!m_offer) return tr("Run &only what changed");
    const ReusePreview& preview = m_offer->preview;
    return preview.num_blocks == preview.all_blocks ? tr("Run &only what changed (no block)") : tr("Run &only what changed (from block %1)").arg(preview.num_blocks);
}

QString RerunOffer::detail() const {
    const QString help = tr("Take over the blocks before the first change from the last run, and do the others");
    if (!m_offer) return help;
    const ReusePreview& preview = m_offer->preview;
    const QString end = preview.end.empty() ? tr("nothing that concerns blocks has changed") : QString::fromStdString(preview.end);
    return tr("Take over %1 of %2 blocks from “%3” (%4)").arg(preview.num_blocks).arg(preview.all_blocks).arg(m_offer->title, end);
}

}  // namespace calibench
