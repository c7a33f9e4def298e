#pragma once

#include <QObject>
#include <QThreadPool>
#include <QTimer>

#include <memory>

#include "ui/core_services.h"

namespace calibench {

/// Measures the perplexity of one run at a time, on a thread of its own.
class PerplexityTask : public QObject {
    Q_OBJECT

public:
    /// `services` must outlive the task.
    explicit PerplexityTask(const CoreServices& services, QObject* parent = nullptr);
    ~PerplexityTask() override;  ///< asks it to stop and waits

    /// Ignored while busy().
    void start(const RunFacts& run, const PerplexityOptions& options, const std::optional<PerplexityNote>& known);
    void cancel();
    [[nodiscard]] bool busy() const { return m_job != nullptr; }
    [[nodiscard]] double fraction() const;

Q_SIGNALS:
    void progressed();  ///< busy() or fraction()
    void measured(const QString& directory, const calibench::PerplexityNote& note);
    void failed(const QString& sentence);

private:
    struct Job;

    const CoreServices& m_services;
    std::shared_ptr<Job> m_job;
    QTimer m_look;
    QThreadPool m_pool;  ///< of one thread: it may take minutes, and others wait for the application's own
};

}  // namespace calibench
