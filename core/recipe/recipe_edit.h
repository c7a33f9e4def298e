#pragma once

#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/recipe/recipe.h"

namespace calibench {

// Changes to a recipe's text that leave everything they do not concern byte for byte: order, comments, spacing, quoting. All
// take the whole text and give the whole new text. They throw InputError, with what to do, when the text is no YAML or the place
// cannot be changed without harm (a value behind an alias or a merge key, say).

/// From the top: {"quant_stage", "quant_modifiers", "AutoRoundModifier", "config_groups", "group_0", "weights", "num_bits"};
/// items of a list by number.
using RecipePath = std::vector<std::string>;

/// Sets one value, which may be a map or a list; adds what is missing on the way there, in the style of its neighbours.
[[nodiscard]] std::string with_value(const std::string& text, const RecipePath& path, const nlohmann::ordered_json& value);
/// Removes one entry with its comment lines; the text as it is when there is none.
[[nodiscard]] std::string without(const std::string& text, const RecipePath& path);

/// Quantizes `modules` by `scheme` (its targets are of no account) from here on: a config group of their own, or the one that has
/// just this scheme already. They leave the targets and the ignore list that name them otherwise. A `scheme:` of the modifier
/// becomes config groups, since llm-compressor takes one or the other.
[[nodiscard]] std::string with_override(const std::string& text, const ModelSummary& model, const std::vector<std::string>& modules,
                                        const QuantizationScheme& scheme);
/// Leaves `modules` as they are.
[[nodiscard]] std::string with_ignored(const std::string& text, const ModelSummary& model, const std::vector<std::string>& modules);
/// Gives every one of `modules` what it has now as an override of its own, so that changes of the group pass it by.
[[nodiscard]] std::string with_pinned(const std::string& text, const ModelSummary& model, const std::vector<std::string>& modules);

/// The shortest targets that mean exactly `modules` among all of the model: "re:.*down_proj$" where that is all of them, one
/// pattern over block numbers where it is some, names otherwise.
[[nodiscard]] std::vector<std::string> targets_for(const ModelSummary& model, const std::vector<std::string>& modules);

/// The Linear and Embedding modules that a target matches, in model order. Throws InputError for a pattern that is none.
[[nodiscard]] std::vector<std::string> matched_modules(const std::string& target, const ModelSummary& model);

/// `text` with the fix made.
[[nodiscard]] std::string apply(const Fix& fix, const std::string& text);

}  // namespace calibench
