#include "ui/runs/perplexity_task.h"

#include <atomic>
#include <chrono>

#include "core/base/error.h"
#include "ui/background.h"
#include "ui/format.h"

namespace calibench {

using namespace std::chrono_literals;

/// Shared with the thread that measures.
struct PerplexityTask::Job {
    RunControl control;
    std::atomic<double> fraction{0};
};

PerplexityTask::PerplexityTask(const CoreServices& services, QObject* parent) : QObject(parent), m_services(services) {
    m_pool.setMaxThreadCount(1);
    m_look.setInterval(100ms);
    connect(&m_look, &QTimer::timeout, this, &PerplexityTask::progressed);
}

PerplexityTask::~PerplexityTask() {
    if (m_job) m_job->control.request_cancel();
    m_pool.waitForDone();
}

void PerplexityTask::start(const RunFacts& run, const PerplexityOptions& options, const std::optional<PerplexityNote>& known) {
    if (m_job) return;
    m_job = std::make_shared<Job>();
    const auto work = [measure = m_services.measurePerplexity, job = m_job, run, options, known]() -> std::optional<PerplexityNote> {
        try {
            return measure(run, options, known, job->control, [&job](double fraction) { job->fraction = fraction; });
        } catch (const Cancelled&) {
            return {};
        }
    };
    m_look.start();
    runInBackground(this, work, [this, directory = toText(run.run_dir)](const Outcome<std::optional<PerplexityNote>>& outcome) {
        m_job.reset();
        m_look.stop();
        if (!outcome.value) Q_EMIT failed(outcome.error);
        else if (*outcome.value) Q_EMIT measured(directory, **outcome.value);
        Q_EMIT progressed();
    }, &m_pool);
    Q_EMIT progressed();
}

void PerplexityTask::cancel() {
    if (m_job) m_job->control.request_cancel();
}

double PerplexityTask::fraction() const { return m_job ? m_job->fraction.load() : 0; }

}  // namespace calibench
