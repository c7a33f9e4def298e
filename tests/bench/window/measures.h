#pragma once

#include <QString>

#include <cstdint>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace calibench::bench {

/// The run that is measured; what is not said is as calibench-cli has it by default.
struct RunSpec {
    QString model, dataset, recipe;
    int samples = 8;
    int seqLen = 128;
    int iters = 10;
    bool handsOff = false;  ///< nobody clicks and nobody watches the event loop: what the window itself costs
};

/// Where the slow answers are: of many, a median says nothing.
struct Distribution {
    size_t count = 0;
    double p50_ms = 0, p99_ms = 0, p999_ms = 0, worst_ms = 0;
};
[[nodiscard]] Distribution distributionOf(std::vector<double> milliseconds);
[[nodiscard]] nlohmann::json toJson(const Distribution& distribution);
[[nodiscard]] double medianOf(std::vector<double> values);

/// One run in a window of this process, clicked about in all the while unless hands are off: {"seconds", "window_thread_seconds", "event_loop",
/// "clicks", "slowest"}.
[[nodiscard]] nlohmann::json measureWindowRun(const RunSpec& run);

/// The same run by calibench-cli: the seconds it gives itself, as in the window, without the time to load the program.
[[nodiscard]] double measureCommandLineRun(const QString& cli, const RunSpec& run);

/// Runs by `cli` and in a window of another process of this program in turn: {"cli_seconds", "window_seconds", "ratio", ...}.
[[nodiscard]] nlohmann::json compareRuns(const QString& cli, const RunSpec& run, int rounds);

/// From the start of the process to a painted, answering window, and to the demo opened and checked: {"window_ms", "demo_ms"}.
[[nodiscard]] nlohmann::json measureStartup(const QString& program, int rounds);

}  // namespace calibench::bench
