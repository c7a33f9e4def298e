#pragma once

#include <string>

#include <nlohmann/json.hpp>

#include "core/recipe/recipe.h"

namespace calibench {

// Changes at the place that a diagnostic is about: `where` is the start of a key or a value. They return the text as it is where
// nothing starts, and throw InputError as recipe_edit.h's do.

/// Sets the value that starts, or whose key starts, at `where`.
[[nodiscard]] std::string with_value_at(const std::string& text, SourcePosition where, const nlohmann::ordered_json& value);
/// Sets one field of the map that is the value at `where`.
[[nodiscard]] std::string with_field_at(const std::string& text, SourcePosition where, const std::string& field, const nlohmann::ordered_json& value);
[[nodiscard]] std::string without_field_at(const std::string& text, SourcePosition where, const std::string& field);
/// Removes the entry or the list item, the second of two with one key too.
[[nodiscard]] std::string without_entry_at(const std::string& text, SourcePosition where);
/// Removes the list item that starts at `where`; a value that stands alone instead of a list stays.
[[nodiscard]] std::string without_item_at(const std::string& text, SourcePosition where);
/// Gives the entry another key, unless its map has that already.
[[nodiscard]] std::string with_key_at(const std::string& text, SourcePosition where, const std::string& key);
/// Puts a top-level entry of a block map into a map of its own, indented.
[[nodiscard]] std::string wrapped_at(const std::string& text, SourcePosition where, const std::string& outer, const std::string& key);

}  // namespace calibench
