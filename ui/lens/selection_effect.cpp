#include "ui/lens/selection_effect.h"

#include <algorithm>
#include <limits>

#include "core/base/error.h"
#include "ui/background.h"

namespace calibench {

namespace {

struct Spread {
    double mean = 0, worst = std::numeric_limits<double>::infinity();
};

Spread spreadOf(const CoreServices& services, const OverviewRequest& request, RunControl& control) {
    Spread spread;
    const std::vector<ModuleOverview> modules = services.inspectModules(request, control, {});
    for (const ModuleOverview& module : modules) {
        spread.mean += module.weight.sqnr_db / static_cast<double>(modules.size());
        spread.worst = std::min(spread.worst, module.weight.sqnr_db);
    }
    return spread;
}

SelectionEffect::Inputs inputsOf(const CoreServices& services, const std::filesystem::path& run, const std::vector<ResolvedModule>& now, const std::vector<ResolvedModule>& asked,
                                 RunControl& control) {
    SelectionEffect::Inputs sums;
    for (size_t i = 0; i < now.size() && !run.empty(); ++i) {
        control.checkpoint();
        if (!now[i].scheme.input_activations || !asked[i].scheme.input_activations) continue;
        try {
            const auto input = services.inspectInput(run, now[i].name);
            if (!input) continue;
            const InputAnswer is = input->answer(*now[i].scheme.input_activations), would = input->answer(*asked[i].scheme.input_activations);
            ++sums.count;
            sums.meanNow += is.sqnr_db;
            sums.meanAsked += would.sqnr_db;
            sums.bound = std::max({sums.bound, is.sqnr_error_db, would.sqnr_error_db});
        } catch (const InputError& error) {
            sums.problem = QString::fromUtf8(error.what());
        }
    }
    if (sums.count > 0) {
        sums.meanNow /= sums.count;
        sums.meanAsked /= sums.count;
    }
    return sums;
}

}  // namespace

SelectionEffect::SelectionEffect(const CoreServices& services, QObject* parent) : QObject(parent), m_services(services) { m_pool.setMaxThreadCount(1); }

SelectionEffect::~SelectionEffect() {
    stop();
    m_pool.waitForDone();
}

void SelectionEffect::stop() {
    if (m_control) m_control->request_cancel();
    m_control.reset();
    m_sums.reset();
    m_error.clear();
}

void SelectionEffect::ask(const std::filesystem::path& model, const std::filesystem::path& run, std::vector<ResolvedModule> now, std::vector<ResolvedModule> asked) {
    stop();
    m_control = std::make_shared<RunControl>();
    const auto work = [services = m_services, control = m_control, run, before = OverviewRequest{.model_dir = model, .modules = std::move(now), .checkpoint_dir = {}, .run_dir = {}},
                       after = OverviewRequest{.model_dir = model, .modules = std::move(asked), .checkpoint_dir = {}, .run_dir = {}}] {
        const Spread is = spreadOf(services, before, *control), would = spreadOf(services, after, *control);
        return Sums{.meanNow = is.mean, .meanAsked = would.mean, .worstNow = is.worst, .worstAsked = would.worst,
                    .inputs = inputsOf(services, run, before.modules, after.modules, *control)};
    };
    runInBackground(this, work, [this, control = m_control](const Outcome<Sums>& outcome) {
        if (control != m_control) return;
        m_control.reset();
        m_sums = outcome.value;
        m_error = outcome.error;
        Q_EMIT changed();
    }, &m_pool);
    Q_EMIT changed();
}

}  // namespace calibench
