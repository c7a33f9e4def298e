#pragma once

#include <string>

#include <nlohmann/json.hpp>

namespace calibench {

/// What a recipe's text says, in its own order and without a judgement: what a form shows beside the typed recipe, which no longer
/// knows what was written and what is a default. Null when the text is no YAML.
[[nodiscard]] nlohmann::ordered_json recipe_values(const std::string& text);

}  // namespace calibench
