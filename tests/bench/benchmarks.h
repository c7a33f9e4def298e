#pragma once

#include <algorithm>
#include <chrono>
#include <limits>

#include <CLI/CLI.hpp>

namespace calibench::bench {

/// Each adds its subcommand to calibench-bench and runs from its callback.
void add_observers(CLI::App& app);
void add_autoround(CLI::App& app);
void add_check(CLI::App& app);
void add_inspection(CLI::App& app);

/// Seconds of the fastest of several runs: the one that the rest of the machine disturbed least.
template <typename Body>
double best_seconds(int repeats, const Body& body) {
    double best = std::numeric_limits<double>::infinity();
    for (int i = 0; i < repeats; ++i) {
        const auto start = std::chrono::steady_clock::now();
        body();
        best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    }
    return best;
}

}  // namespace calibench::bench
