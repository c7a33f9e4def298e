#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/base/file_lock.h"
#include "core/calibration/run_config.h"
#include "core/calibration/run_events.h"
#include "core/calibration/run_journal.h"

namespace calibench {

[[nodiscard]] nlohmann::json to_json(const RunConfig& config);  ///< without the recipe's text

/// A run as its directory tells it.
struct StoredRun {
    enum class Ending { Finished, Stopped, Failed, Interrupted };  ///< Interrupted: the program died, or is still at work
    RunConfig config;                 ///< with the recipe as the run last followed it
    std::vector<RunEvent> events;     ///< a last line that was cut off is left out
    Ending ending = Ending::Interrupted;
    int64_t blocks_done = 0;          ///< can be taken over by a run that goes on
    [[nodiscard]] bool can_resume() const { return ending != Ending::Finished; }
};

/// Throws InputError, naming file and line, for a directory that holds no run or a damaged one.
[[nodiscard]] StoredRun read_run(const std::filesystem::path& run_dir);

struct ReopenedRun;

/// Throws InputError, naming the files, when the model or the dataset of a run is not what it was when the run began.
void require_inputs_of(const std::filesystem::path& run_dir);

/// What is kept of a run: recipe.yaml, run.json (what it ran on), events.jsonl (what happened), result.json (how it ended, and
/// how many tokens each module saw; not there while it is at work), sketches/ (see SketchStore)
/// and blocks/ (see BlockStore) until the run is finished.
/// The journal is flushed so often that a killed run can be read up to its last moments.
class RunDirectory {
public:
    /// A new run. Creates the directory. Throws InputError when it cannot be written or holds a run already.
    explicit RunDirectory(const std::filesystem::path& directory, const RunConfig& config);
    /// The run that is there, whose journal goes on behind its last whole line. Throws InputError when it is at work in another
    /// process, finished, or when the model or the dataset has changed since it began.
    [[nodiscard]] static ReopenedRun reopen(const std::filesystem::path& directory);

    /// Throws RunError when the journal cannot be written.
    void append(const RunEvent& event);

private:
    RunDirectory() = default;
    void open_journal();
    void write_result(const RunEvent& last_event);

    std::filesystem::path directory_;
    std::map<std::string, int64_t> tokens_;  ///< seen by each module's input
    JournalWriter journal_;
    FileLock lock_;                          ///< of the journal: one process at a time
    std::chrono::steady_clock::time_point last_flush_;
};

struct ReopenedRun {
    std::unique_ptr<RunDirectory> directory;
    StoredRun run;
    std::vector<std::string> recipes;  ///< that it followed one after the other; the first is the one it was begun with
};

}  // namespace calibench
