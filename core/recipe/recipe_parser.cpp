// llm-compressor's recipe grammar (llmcompressor/recipe/recipe.py, from_dict):
//
//     top   := { "args": {...}?, "<name>_stage": stage*, "calibench": {...}?, anything else is ignored there }
//     stage := { "<group>_modifiers": { "<ClassName>": {args} }, anything else is ignored there }
//
// Two older spellings hold no modifier for llm-compressor, but what they mean is plain: `modifiers:` without a group's name
// and modifier groups outside of any stage. They are read with a note.

#include "core/base/text.h"
#include "core/recipe/auto_round_knobs_reader.h"
#include "core/recipe/fields.h"
#include "core/recipe/fixes.h"
#include "core/recipe/front_matter.h"
#include "core/recipe/modifier_reader.h"
#include "core/recipe/recipe.h"

namespace calibench {

namespace {

constexpr std::string_view kStage = "_stage";
constexpr std::string_view kModifiers = "_modifiers";

class RecipeReader {
public:
    explicit RecipeReader(Diagnostics& diagnostics) : diagnostics_(diagnostics) {}

    Recipe read(const YamlNode& root) {
        recipe_.stage = "default";
        if (root.kind != YamlNode::Kind::Map) {
            diagnostics_.error(root.where, concat("a recipe is a map of stages, not ", describe(root)));
            return recipe_;
        }
        for (const YamlEntry& entry : root.entries) read_top_level(entry);
        if (const YamlEntry* section = root.find("calibench")) read_calibench(*section);
        if (recipe_.modifiers.empty() && !diagnostics_.has_errors())
            diagnostics_.error({}, "the recipe has no modifier; write default_stage: default_modifiers: AutoRoundModifier: "
                                   "and its arguments, each a level deeper");
        return std::move(recipe_);
    }

private:
    void read_top_level(const YamlEntry& entry) {
        const std::string& key = entry.key;
        if (key == "args") {
            if (entry.value->kind == YamlNode::Kind::Map) recipe_.args = to_json(*entry.value);
            else if (entry.value->kind != YamlNode::Kind::Null) diagnostics_.error(value_position(entry), "args must be a map");
        } else if (key.size() > kStage.size() && key.ends_with(kStage)) {
            recipe_.stage = key.substr(0, key.size() - kStage.size());
            read_stage(entry);
        } else if (key == "modifiers" || key.ends_with(kModifiers)) {
            diagnostics_.note(entry.where, concat("llm-compressor reads nothing of '", key, "' outside of a stage; saving puts it into ",
                                                  recipe_.stage, kStage));
            const std::string group = concat(group_name(key), kModifiers), stage = concat(recipe_.stage, kStage);
            diagnostics_.offer(concat("Put it into ", stage), [&](const std::string& text) { return wrapped_at(text, entry.where, stage, group); });
            read_group(entry, group_name(key), {key});
        } else if (key != "calibench") {
            warn_ignored(entry, {"args", "calibench", "default_stage", "default_modifiers"},
                         "a stage's name ends in _stage");
        }
    }

    void read_stage(const YamlEntry& stage) {
        if (stage.value->kind != YamlNode::Kind::Map) {
            diagnostics_.error(value_position(stage), concat(stage.key, " must be a map of modifier groups, not ", describe(*stage.value)));
            return;
        }
        for (const YamlEntry& entry : stage.value->entries) {
            if (entry.key == "modifiers") {
                const std::string full_name = concat(group_name(entry.key), kModifiers);
                diagnostics_.note(entry.where, concat("llm-compressor reads nothing under a bare 'modifiers'; saving names it ",
                                                      full_name));
                diagnostics_.offer(concat("Change modifiers to ", full_name),
                                   [&](const std::string& text) { return with_key_at(text, entry.where, full_name); });
            }
            if (entry.key == "modifiers" || entry.key.ends_with(kModifiers))
                read_group(entry, group_name(entry.key), {stage.key, entry.key});
            else
                warn_ignored(entry, {"default_modifiers", "quant_modifiers", "modifiers"}, "a modifier group's name ends in _modifiers");
        }
    }

    [[nodiscard]] std::string group_name(const std::string& key) const {
        return key == "modifiers" || key == kModifiers ? recipe_.stage : key.substr(0, key.size() - kModifiers.size());
    }

    void read_group(const YamlEntry& group, const std::string& name, const std::vector<std::string>& path) {
        if (group.value->kind != YamlNode::Kind::Map) {
            diagnostics_.error(value_position(group), concat(group.key, " must be a map such as AutoRoundModifier: {...}, not ",
                                                             describe(*group.value)));
            return;
        }
        for (const YamlEntry& entry : group.value->entries) {
            auto modifier = read_modifier(entry, name, diagnostics_);
            if (!modifier) continue;
            modifier->path = path;
            modifier->path.push_back(entry.key);
            recipe_.modifiers.push_back(std::move(*modifier));
        }
    }

    void warn_ignored(const YamlEntry& entry, const std::vector<std::string>& known, const std::string& rule) {
        const std::string nearest = closest_match(entry.key, known);
        diagnostics_.warning(entry.where, concat("'", entry.key, "' is ignored, here and by llm-compressor: ", rule,
                                                 nearest.empty() ? "" : concat("; did you mean ", nearest, "?")));
        if (!nearest.empty())
            diagnostics_.offer(concat("Change ", entry.key, " to ", nearest),
                               [&](const std::string& text) { return with_key_at(text, entry.where, nearest); });
        diagnostics_.offer(concat("Remove ", entry.key), [&](const std::string& text) { return without_entry_at(text, entry.where); });
    }

    /// Knobs that AutoRoundModifier refuses as extra fields. Every AutoRoundModifier of the recipe gets them.
    void read_calibench(const YamlEntry& section) {
        if (section.value->kind == YamlNode::Kind::Null) return;
        if (section.value->kind != YamlNode::Kind::Map) {
            diagnostics_.error(value_position(section), concat("calibench must be a map, not ", describe(*section.value)));
            return;
        }
        recipe_.calibench = to_json(*section.value);
        const AutoRoundKnobs knobs = read_auto_round_knobs(*section.value, diagnostics_);
        for (Modifier& modifier : recipe_.modifiers)
            if (auto* settings = std::get_if<AutoRoundSettings>(&modifier.settings)) static_cast<AutoRoundKnobs&>(*settings) = knobs;
    }

    Diagnostics& diagnostics_;
    Recipe recipe_;
};

}  // namespace

ParsedRecipe parse_recipe(const std::string& text) {
    Diagnostics diagnostics(text);
    ParsedRecipe parsed;
    if (const YamlNodePtr root = parse_yaml(front_matter(text, diagnostics), diagnostics)) {
        Recipe recipe = RecipeReader(diagnostics).read(*root);
        if (!diagnostics.has_errors()) {
            recipe.source = text;
            parsed.recipe = std::move(recipe);
        }
    } else if (!diagnostics.has_errors()) {
        diagnostics.error({}, "the recipe is empty");
    }
    parsed.diagnostics = diagnostics.take();
    return parsed;
}

}  // namespace calibench
