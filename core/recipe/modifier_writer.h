#pragma once

#include <string>

#include <nlohmann/json.hpp>

#include "core/recipe/recipe.h"

namespace calibench {

/// A modifier's groups in full; what quantizes nothing is left out.
[[nodiscard]] nlohmann::ordered_json write_config_groups(const Modifier& modifier);

/// Writes the ignore list and the config groups into the text where `after` differs from `before`, which the text says now. A `scheme:`
/// becomes config groups when they differ, since llm-compressor takes one or the other.
[[nodiscard]] std::string write_changes(std::string text, const Modifier& before, const Modifier& after);

}  // namespace calibench
