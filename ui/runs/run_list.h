#pragma once

#include <QObject>
#include <QStringList>
#include <QThreadPool>

#include <array>
#include <memory>
#include <optional>
#include <vector>

#include "ui/core_services.h"

namespace calibench {

/// A run as a list shows it.
struct KnownRun {
    QString directory;
    std::optional<RunFacts> facts;  ///< without those of single modules and blocks; unset: not read yet, or damaged
    RunNotes notes;
    QString problem;       ///< why there are no facts
    QString notesProblem;  ///< why there are no notes; the run is as readable as ever

    [[nodiscard]] QString title() const;   ///< the user's own, or the name of its folder
    [[nodiscard]] QString folder() const;  ///< all that belongs to it: with the checkpoint, where the window made it
};

/// All runs there are: those of the project and those in the folder of runs. They are read one after the other on a thread of their own,
/// and again when their files have changed.
class RunList : public QObject {
    Q_OBJECT

public:
    /// `services` must outlive the list.
    explicit RunList(const CoreServices& services, QObject* parent = nullptr);
    ~RunList() override;  ///< waits for the run that is being read

    /// Looks for these runs and for those in `workspace`.
    void look(const QStringList& runs, const QString& workspace);
    void lookAgain();

    [[nodiscard]] const std::vector<KnownRun>& runs() const { return m_runs; }
    [[nodiscard]] int find(const QString& directory) const;  ///< -1: not known
    [[nodiscard]] bool busy() const { return m_looking || m_reading; }
    [[nodiscard]] int countUnread() const;

    void setNotes(int run, const RunNotes& notes);
    /// Without a trace on disk: somebody else has taken care of that.
    void forget(int run);

Q_SIGNALS:
    void aboutToAdd(int count);  ///< at the end
    void added();
    void aboutToRemove(int run);
    void removed();
    void runChanged(int run);
    void progressed();  ///< busy() or countUnread()
    void failed(const QString& sentence);

private:
    /// Bytes and time of change of the files that tell of a run.
    using Stamp = std::array<qint64, 6>;
    struct Found {
        QString directory;
        Stamp stamp{};
    };
    static Stamp stampOf(const QString& directory);
    static std::vector<Found> findRuns(const QStringList& runs, const QString& workspace);
    static KnownRun read(const CoreServices& services, const QString& directory);
    void take(const std::vector<Found>& found);
    void readNext();

    const CoreServices& m_services;
    QStringList m_wanted;
    QString m_workspace;
    std::vector<KnownRun> m_runs;
    std::vector<Stamp> m_stamps;       ///< of each, when it was read
    QStringList m_unread;              ///< directories, those to be read first at the end
    bool m_looking = false, m_reading = false, m_lookAgain = false;
    QThreadPool m_pool;                ///< of one thread: what is written is read behind it
};

}  // namespace calibench
