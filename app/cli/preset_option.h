#pragma once

#include <string>

#include <CLI/CLI.hpp>

#include "core/calibration/run_config.h"

namespace calibench::cli {

/// --preset: how much work tuning is given, by a name.
class PresetOption {
public:
    /// What `num_samples` and `seq_len` were given goes before the preset.
    void add_to(CLI::App& command, const CLI::Option* num_samples, const CLI::Option* seq_len);
    [[nodiscard]] CLI::Option* option() const { return option_; }

    /// Puts the preset, if one was chosen, into the recipe and the samples. Throws InputError.
    void apply(RunConfig& config) const;

private:
    std::string name_;
    CLI::Option* option_ = nullptr;
    const CLI::Option* num_samples_ = nullptr;
    const CLI::Option* seq_len_ = nullptr;
};

}  // namespace calibench::cli
