#include "core/recipe/tuning_presets.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/recipe/recipe_edit.h"

namespace calibench {

namespace {

std::string with_field(const std::string& text, RecipePath modifier, const char* field, const std::optional<nlohmann::ordered_json>& value) {
    modifier.emplace_back(field);
    return value ? with_value(text, modifier, *value) : without(text, modifier);
}

}  // namespace

const TuningPreset& tuning_preset(const std::string& name) {
    const auto found = std::find_if(tuning_presets.begin(), tuning_presets.end(), [&](const TuningPreset& preset) { return preset.name == name; });
    if (found != tuning_presets.end()) return *found;
    std::vector<std::string> names;
    for (const TuningPreset& preset : tuning_presets) names.emplace_back(preset.name);
    throw InputError(concat("There is no preset ", name, ". Choose one of ", list_names(names), "."));
}

std::string with_preset(const std::string& text, const TuningPreset& preset) {
    const ParsedRecipe parsed = parse_recipe(text);
    for (const Diagnostic& diagnostic : parsed.diagnostics)
        if (diagnostic.severity == Diagnostic::Severity::Error) throw InputError(to_string(diagnostic));
    std::string changed = text;
    bool tunes = false;
    for (const Modifier& modifier : parsed.recipe->modifiers) {
        if (!std::holds_alternative<AutoRoundSettings>(modifier.settings)) continue;
        tunes = true;
        changed = with_field(changed, modifier.path, "iters", preset.iters);
        changed = with_field(changed, modifier.path, "batch_size", preset.batch_size);
        changed = with_field(changed, modifier.path, "lr", preset.lr);
    }
    if (!tunes) throw InputError(concat("The preset ", preset.name, " says how AutoRound tunes, but the recipe has no AutoRoundModifier."));
    return changed;
}

}  // namespace calibench
