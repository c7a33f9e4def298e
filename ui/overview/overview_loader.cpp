#include "ui/overview/overview_loader.h"

#include <algorithm>
#include <chrono>
#include <mutex>
#include <unordered_map>
#include <utility>

#include "core/base/error.h"
#include "ui/background.h"

namespace calibench {

using namespace std::chrono_literals;

/// What both threads know of one go: the loader's writes `control`, the job's the rest under the mutex.
struct OverviewLoader::Job {
    std::vector<OverviewRequest> requests;
    std::unordered_map<std::string, size_t> places;  ///< of the modules in the loader
    RunControl control;
    std::mutex mutex;
    std::vector<ModuleOverview> found;
};

namespace {

/// A run's export holds what its directory held while it was at work.
bool sameFacts(const Specimen& a, const Specimen& b) {
    return a.model == b.model && a.module == b.module && a.scheme == b.scheme && a.run == b.run && a.wasQuantized() == b.wasQuantized();
}

}  // namespace

OverviewLoader::OverviewLoader(const CoreServices& services, QObject* parent) : QObject(parent), m_services(services) {
    m_pool.setMaxThreadCount(1);
    m_look.setInterval(100ms);
    connect(&m_look, &QTimer::timeout, this, [this] { drain(*m_job); });
}

OverviewLoader::~OverviewLoader() {
    if (m_job) m_job->control.request_cancel();
    m_pool.waitForDone();
}

void OverviewLoader::want(std::vector<Specimen> modules) {
    if (m_modules == modules) return;
    if (m_job) {
        drain(*m_job);
        m_job->control.request_cancel();
    }
    std::unordered_map<std::string, size_t> known;
    for (size_t i = 0; i < m_modules.size(); ++i) known.emplace(m_modules[i].module, i);
    const bool sameNames = std::equal(modules.begin(), modules.end(), m_modules.begin(), m_modules.end(), [](const Specimen& a, const Specimen& b) { return a.module == b.module; });
    std::vector<std::optional<ModuleOverview>> rows(modules.size());
    QList<int> changed;
    m_known = 0;
    for (size_t i = 0; i < modules.size(); ++i) {
        const auto before = known.find(modules[i].module);
        if (before != known.end() && sameFacts(m_modules[before->second], modules[i]))
            rows[i] = std::move(m_rows[before->second]);
        else
            changed << static_cast<int>(i);
        m_known += rows[i].has_value();
    }
    m_modules = std::move(modules);
    m_rows = std::move(rows);
    if (sameNames)
        Q_EMIT rowsChanged(changed);
    else
        Q_EMIT modulesChanged();
    start();
}

void OverviewLoader::cancel() {
    if (m_job) m_job->control.request_cancel();
}

void OverviewLoader::resume() {
    if (!m_job) start();
}

void OverviewLoader::start() {
    m_error.clear();
    const auto job = std::make_shared<Job>();
    std::vector<const Specimen*> kinds;  // one request for all modules whose weights lie in the same place
    for (size_t i = 0; i < m_modules.size(); ++i) {
        if (m_rows[i]) continue;
        const Specimen& module = m_modules[i];
        const auto same = [&](const Specimen* other) { return other->model == module.model && other->checkpoint == module.checkpoint && other->blocks == module.blocks && other->run == module.run; };
        const auto kind = std::find_if(kinds.begin(), kinds.end(), same);
        const auto place = static_cast<size_t>(kind - kinds.begin());
        if (kind == kinds.end()) {
            kinds.push_back(&module);
            job->requests.push_back({.model_dir = module.model, .modules = {}, .checkpoint_dir = module.checkpoint, .run_dir = module.run});
        }
        job->requests[place].modules.push_back({.name = module.module, .scheme = module.scheme.value_or(QuantizationScheme{})});
        job->places.emplace(module.module, i);
    }
    if (job->requests.empty()) {
        m_job.reset();
        m_look.stop();
        Q_EMIT progressed();
        return judge();
    }
    m_job = job;
    m_look.start();
    const auto run = [services = m_services, job] {
        work(services, *job);
        return true;
    };
    runInBackground(this, run, [this, job](const Outcome<bool>& outcome) {
        if (job != m_job) return;  // another go is on its way
        m_error = outcome.error;
        finish(job);
    }, &m_pool);
    Q_EMIT progressed();
}

void OverviewLoader::work(const CoreServices& services, Job& job) {
    try {
        for (const OverviewRequest& request : job.requests)
            services.inspectModules(request, job.control, [&job](const ModuleOverview& module, double) {
                const std::scoped_lock lock(job.mutex);
                job.found.push_back(module);
            });
    } catch (const Cancelled&) {  // what was found until then is taken
    }
}

void OverviewLoader::drain(Job& job) {
    std::vector<ModuleOverview> found;
    {
        const std::scoped_lock lock(job.mutex);
        found.swap(job.found);
    }
    QList<int> changed;
    for (ModuleOverview& module : found) {
        const auto place = job.places.find(module.weight.module);
        if (place == job.places.end()) continue;
        m_known += !m_rows[place->second];
        changed << static_cast<int>(place->second);
        m_rows[place->second] = std::move(module);
    }
    if (changed.isEmpty()) return;
    std::sort(changed.begin(), changed.end());
    Q_EMIT rowsChanged(changed);
    Q_EMIT progressed();
}

void OverviewLoader::finish(const std::shared_ptr<Job>& job) {
    m_look.stop();
    drain(*job);
    m_job.reset();
    Q_EMIT progressed();
    judge();
}

/// Holds all that is known against each other: which module is bad depends on how the others are.
void OverviewLoader::judge() {
    std::vector<ModuleOverview> known;
    QList<int> places;
    for (size_t i = 0; i < m_rows.size(); ++i) {
        if (!m_rows[i]) continue;
        known.push_back(*m_rows[i]);
        places << static_cast<int>(i);
    }
    if (known.empty()) return;
    const auto work = [services = m_services, known = std::move(known)]() mutable {
        services.judgeModules(known);
        return std::move(known);
    };
    runInBackground(this, work, [this, places, generation = ++m_judging](Outcome<std::vector<ModuleOverview>> outcome) {
        if (generation != m_judging || m_job || !outcome.value) return;  // there is, or will be, more to judge
        for (qsizetype i = 0; i < places.size(); ++i) {
            auto& row = m_rows[static_cast<size_t>(places[i])];
            if (row) *row = std::move((*outcome.value)[static_cast<size_t>(i)]);
        }
        Q_EMIT rowsChanged(places);
    });
}

}  // namespace calibench
