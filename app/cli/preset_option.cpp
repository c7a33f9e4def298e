#include "app/cli/preset_option.h"

#include "core/base/text.h"
#include "core/recipe/tuning_presets.h"

namespace calibench::cli {

void PresetOption::add_to(CLI::App& command, const CLI::Option* num_samples, const CLI::Option* seq_len) {
    num_samples_ = num_samples;
    seq_len_ = seq_len;
    std::vector<std::string> names;
    for (const TuningPreset& preset : tuning_presets) names.emplace_back(preset.name);
    option_ = command.add_option("--preset", name_, concat("What AutoRound is given: iterations, rate and batch in place of the recipe's, and samples (", list_names(names), ")"));
}

void PresetOption::apply(RunConfig& config) const {
    if (name_.empty()) return;
    const TuningPreset& preset = tuning_preset(name_);
    config.recipe_yaml = with_preset(config.recipe_yaml, preset);
    if (num_samples_->count() == 0) config.num_samples = preset.num_samples;
    if (seq_len_->count() == 0) config.seq_len = preset.seq_len;
}

}  // namespace calibench::cli
