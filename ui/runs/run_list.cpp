#include "ui/runs/run_list.h"

#include <QDateTime>
#include <QDir>
#include <QFileInfo>

#include <algorithm>
#include <utility>

#include "core/base/error.h"
#include "ui/background.h"
#include "ui/format.h"

namespace calibench {

namespace {

const QString AboutName = QStringLiteral("run.json");
const QString RunName = QStringLiteral("run");  ///< beside the checkpoint, in the folders that the window makes

QString absolute(const QString& directory) { return QDir::cleanPath(QFileInfo(directory).absoluteFilePath()); }

}  // namespace

QString KnownRun::title() const {
    const QString own = QString::fromStdString(notes.title);
    if (!own.isEmpty()) return own;
    const QFileInfo run(directory);
    return run.fileName() == RunName ? QFileInfo(run.path()).fileName() : run.fileName();
}

QString KnownRun::folder() const {
    const QFileInfo run(directory);
    const bool ours = run.fileName() == RunName && facts && facts->config.output_dir.parent_path() == toPath(run.path());
    return ours ? run.path() : directory;
}

RunList::RunList(const CoreServices& services, QObject* parent) : QObject(parent), m_services(services) { m_pool.setMaxThreadCount(1); }

RunList::~RunList() {
    m_pool.clear();
    m_pool.waitForDone();
}

int RunList::find(const QString& directory) const {
    const auto found = std::find_if(m_runs.begin(), m_runs.end(), [clean = absolute(directory)](const KnownRun& run) { return run.directory == clean; });
    return found == m_runs.end() ? -1 : static_cast<int>(found - m_runs.begin());
}

int RunList::countUnread() const { return static_cast<int>(m_unread.size()) + (m_reading ? 1 : 0); }

void RunList::look(const QStringList& runs, const QString& workspace) {
    m_wanted = runs;
    m_workspace = workspace;
    lookAgain();
}

void RunList::lookAgain() {
    if (std::exchange(m_looking, true)) {
        m_lookAgain = true;
        return;
    }
    Q_EMIT progressed();
    const auto work = [runs = m_wanted, workspace = m_workspace] { return findRuns(runs, workspace); };
    runInBackground(this, work, [this](const Outcome<std::vector<Found>>& outcome) {
        m_looking = false;
        if (std::exchange(m_lookAgain, false)) return lookAgain();
        if (outcome.value) take(*outcome.value);
        Q_EMIT progressed();
    });
}

RunList::Stamp RunList::stampOf(const QString& directory) {
    Stamp stamp{};
    size_t place = 0;
    for (const char* name : {"run.json", "events.jsonl", "notes.json"}) {
        const QFileInfo file(directory + QLatin1Char('/') + QLatin1String(name));
        stamp[place++] = file.size();
        stamp[place++] = file.lastModified().toMSecsSinceEpoch();
    }
    return stamp;
}

std::vector<RunList::Found> RunList::findRuns(const QStringList& runs, const QString& workspace) {
    QStringList directories;
    for (const QString& run : runs)
        if (QFileInfo(run).isDir()) directories << absolute(run);
    for (const QFileInfo& folder : QDir(workspace).entryInfoList(QDir::Dirs | QDir::NoDotAndDotDot, QDir::Name)) {
        const QString inner = folder.absoluteFilePath() + QLatin1Char('/') + RunName;
        if (QFileInfo(inner).isDir())
            directories << absolute(inner);
        else if (QFileInfo::exists(folder.absoluteFilePath() + QLatin1Char('/') + AboutName))
            directories << absolute(folder.absoluteFilePath());
    }
    directories.removeDuplicates();
    std::vector<Found> found;
    for (const QString& directory : std::as_const(directories)) found.push_back({directory, stampOf(directory)});
    return found;
}

void RunList::take(const std::vector<Found>& found) {
    for (int run = static_cast<int>(m_runs.size()) - 1; run >= 0; --run)
        if (std::none_of(found.begin(), found.end(), [&](const Found& one) { return one.directory == m_runs[static_cast<size_t>(run)].directory; })) forget(run);
    std::vector<Found> fresh, changed;
    for (const Found& one : found) {
        const int known = find(one.directory);
        if (known < 0) fresh.push_back(one);
        else if (m_stamps[static_cast<size_t>(known)] != one.stamp) changed.push_back(one);
    }
    if (!fresh.empty()) {
        Q_EMIT aboutToAdd(static_cast<int>(fresh.size()));
        for (const Found& one : fresh) {
            m_runs.push_back({.directory = one.directory});
            m_stamps.push_back(one.stamp);
        }
        Q_EMIT added();
    }
    for (const Found& one : changed) m_stamps[static_cast<size_t>(find(one.directory))] = one.stamp;
    fresh.insert(fresh.end(), changed.begin(), changed.end());
    std::sort(fresh.begin(), fresh.end(), [](const Found& a, const Found& b) { return a.stamp[1] < b.stamp[1]; });  // the newest is read first
    for (const Found& one : fresh)
        if (!m_unread.contains(one.directory)) m_unread << one.directory;
    readNext();
}

KnownRun RunList::read(const CoreServices& services, const QString& directory) {
    KnownRun run{.directory = directory};
    const std::filesystem::path path = toPath(directory);
    try {
        run.facts = services.factsOfRun(path);
        run.facts->modules = {};
        for (auto& [index, block] : run.facts->blocks) block.loss_mse = {};
    } catch (const std::exception& error) {
        run.problem = QString::fromUtf8(error.what());
    }
    try {
        run.notes = services.readNotes(path);
    } catch (const Error& error) {
        run.notesProblem = QString::fromUtf8(error.what());
    }
    return run;
}

void RunList::readNext() {
    if (m_reading || m_unread.isEmpty()) return;
    m_reading = true;
    const QString directory = m_unread.takeLast();
    runInBackground(this, [services = m_services, directory] { return read(services, directory); }, [this, directory](Outcome<KnownRun> outcome) {
        m_reading = false;
        if (const int place = find(directory); place >= 0 && outcome.value) {
            m_runs[static_cast<size_t>(place)] = std::move(*outcome.value);
            Q_EMIT runChanged(place);
        }
        readNext();
        Q_EMIT progressed();
    }, &m_pool);
}

void RunList::setNotes(int run, const RunNotes& notes) {
    KnownRun& known = m_runs[static_cast<size_t>(run)];
    known.notes = notes;
    known.notesProblem.clear();
    Q_EMIT runChanged(run);
    const auto write = [writeNotes = m_services.writeNotes, path = toPath(known.directory), notes] {
        writeNotes(path, notes);
        return true;
    };
    runInBackground(this, write, [this, directory = known.directory](const Outcome<bool>& outcome) {
        const int place = find(directory);
        if (place < 0) return;
        const Stamp now = stampOf(directory);
        std::copy(now.begin() + 4, now.end(), m_stamps[static_cast<size_t>(place)].begin() + 4);  // of the notes
        if (outcome.value) return;
        m_unread << directory;  // back to what is on disk
        readNext();
        Q_EMIT failed(outcome.error);
    }, &m_pool);
}

void RunList::forget(int run) {
    Q_EMIT aboutToRemove(run);
    m_unread.removeAll(m_runs[static_cast<size_t>(run)].directory);
    m_runs.erase(m_runs.begin() + run);
    m_stamps.erase(m_stamps.begin() + run);
    Q_EMIT removed();
}

}  // namespace calibench
