#pragma once

#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/calibration/run_config.h"
#include "core/calibration/run_events.h"

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

/// What is kept of a run: recipe.yaml, run.json (what it ran on), events.jsonl (what happened), result.json (how it ended, and
/// how many tokens each module saw).
/// The journal is flushed so often that a killed run can be read up to its last moments.
class RunDirectory {
public:
    /// Creates the directory. Throws InputError when it cannot be written or holds a run already.
    explicit RunDirectory(const std::filesystem::path& directory, const RunConfig& config);

    /// Throws RunError when the journal cannot be written.
    void append(const RunEvent& event);

private:
    void write_result(const RunEvent& last_event);

    std::filesystem::path directory_;
    std::map<std::string, int64_t> tokens_;  ///< seen by each module's input
    std::ofstream journal_;
    std::chrono::steady_clock::time_point last_flush_;
};

}  // namespace calibench
