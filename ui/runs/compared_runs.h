#pragma once

#include <QObject>

#include <memory>
#include <vector>

#include "ui/latest_task.h"
#include "ui/runs/run_list.h"

namespace calibench {

/// One of the runs that are looked at side by side.
struct ComparedRun {
    KnownRun known;
    std::shared_ptr<const RunFacts> facts;  ///< all of them, read when the run is looked at; null: not read yet, or damaged
};

/// The runs chosen to be looked at, the first of them the base that the others are held against.
class ComparedRuns : public QObject {
    Q_OBJECT

public:
    /// `services` must outlive this.
    explicit ComparedRuns(const CoreServices& services, QObject* parent = nullptr) : QObject(parent), m_services(services) {}

    /// What is known of a run already is kept as long as its files are the same.
    void choose(std::vector<KnownRun> runs);
    [[nodiscard]] const std::vector<ComparedRun>& runs() const { return m_runs; }
    [[nodiscard]] QString error() const { return m_error; }  ///< why facts are missing that are not on their way; empty otherwise

Q_SIGNALS:
    void changed();

private:
    void load();

    const CoreServices& m_services;
    std::vector<ComparedRun> m_runs;
    QString m_error;
    LatestTask m_task;
};

/// Runs are told apart by letters where there is no room for their titles: "A" is the base.
[[nodiscard]] inline QString letterOf(size_t run) { return QString(QChar(u'A' + static_cast<char16_t>(run % 26))); }

}  // namespace calibench
