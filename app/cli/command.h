#pragma once

#include <functional>

#include <CLI/CLI.hpp>

namespace calibench::cli {

// Exit codes are part of the interface that scripts rely on.
constexpr int exit_done = 0;
constexpr int exit_failed = 1;
constexpr int exit_bad_input = 2;
constexpr int exit_cancelled = 130;

/// What the chosen subcommand does, run after all arguments were read. Returns the exit code.
using Command = std::function<int()>;

// Each adds one subcommand, whose parsing puts its work into `chosen`.
void add_inspect(CLI::App& app, Command& chosen);
void add_run(CLI::App& app, Command& chosen);
void add_eval(CLI::App& app, Command& chosen);
void add_forward(CLI::App& app, Command& chosen);
void add_tokenize(CLI::App& app, Command& chosen);
void add_check(CLI::App& app, Command& chosen);
void add_error(CLI::App& app, Command& chosen);
void add_recipe(CLI::App& app, Command& chosen);
void add_report(CLI::App& app, Command& chosen);

}  // namespace calibench::cli
