#pragma once

#include <QObject>
#include <QThreadPool>
#include <QTimer>

#include <memory>
#include <optional>
#include <vector>

#include "core/analysis/overview.h"
#include "ui/core_services.h"
#include "ui/lens/specimen.h"

namespace calibench {

/// Looks at every module of a model, one after the other on a thread of its own, and keeps what it found: asked again, it looks only
/// at those that are another matter now.
class OverviewLoader : public QObject {
    Q_OBJECT

public:
    /// `services` must outlive the loader.
    explicit OverviewLoader(const CoreServices& services, QObject* parent = nullptr);
    ~OverviewLoader() override;  ///< stops, and waits for the module at hand

    void want(std::vector<Specimen> modules);
    void cancel();  ///< what is known stays
    void resume();  ///< looks at the modules that are still unknown

    [[nodiscard]] bool busy() const { return m_job != nullptr; }
    [[nodiscard]] bool complete() const { return !m_job && m_known == m_modules.size(); }
    [[nodiscard]] size_t countKnown() const { return m_known; }
    [[nodiscard]] QString error() const { return m_error; }
    [[nodiscard]] const std::vector<Specimen>& modules() const { return m_modules; }
    [[nodiscard]] const std::optional<ModuleOverview>& row(size_t module) const { return m_rows[module]; }

Q_SIGNALS:
    void modulesChanged();                        ///< other modules, or another number of them
    void rowsChanged(const QList<int>& modules);  ///< in ascending order
    void progressed();                            ///< busy(), countKnown() or error()

private:
    struct Job;

    void start();
    static void work(const CoreServices& services, Job& job);
    void drain(Job& job);
    void finish(const std::shared_ptr<Job>& job);
    void judge();

    const CoreServices& m_services;
    std::vector<Specimen> m_modules;
    std::vector<std::optional<ModuleOverview>> m_rows;
    size_t m_known = 0;
    QString m_error;
    std::shared_ptr<Job> m_job;
    quint64 m_judging = 0;
    QTimer m_look;       ///< ten times a second, however fast rows come
    QThreadPool m_pool;  ///< of one thread: it may take minutes, and others wait for the application's own
};

}  // namespace calibench
