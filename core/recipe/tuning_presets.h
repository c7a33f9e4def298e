#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

namespace calibench {

/// How much work tuning is given, by auto-round's names: its RECIPES (auto_round/cli/main.py, 0.15), and "fast", which earlier releases
/// had beside them.
struct TuningPreset {
    const char* name;
    int64_t iters = 200;
    int64_t batch_size = 8;
    std::optional<double> lr;  ///< unset: by the iterations
    int64_t num_samples = 128;
    int64_t seq_len = 2048;
};

inline constexpr std::array<TuningPreset, 4> tuning_presets = {{
    {"best", 1000, 8, {}, 512, 2048},
    {"default", 200, 8, {}, 128, 2048},
    {"light", 50, 8, 5e-3, 128, 2048},
    {"fast", 200, 4, {}, 128, 512},
}};
/// Throws InputError naming those that there are.
[[nodiscard]] const TuningPreset& tuning_preset(const std::string& name);

/// The recipe's text with what the preset says of each AutoRoundModifier; the samples are the run's own affair. Throws InputError for a
/// recipe that has no AutoRoundModifier, or errors.
[[nodiscard]] std::string with_preset(const std::string& text, const TuningPreset& preset);

}  // namespace calibench
