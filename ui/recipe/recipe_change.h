#pragma once

#include <optional>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/recipe/recipe_edit.h"

namespace calibench {

using Json = nlohmann::ordered_json;

/// One thing that the form changes in the recipe's text: the value at a path, or that it is there at all.
struct RecipeChange {
    RecipePath path;
    std::optional<Json> value;  ///< unset: take it out
    bool typed = false;         ///< a key stroke of several: they are undone together
};
using RecipeChanges = std::vector<RecipeChange>;  ///< made in this order, undone as one step

[[nodiscard]] inline RecipePath below(RecipePath path, std::initializer_list<std::string> keys) {
    path.insert(path.end(), keys.begin(), keys.end());
    return path;
}

/// The value at a path in recipe_values(); null when the text does not say it.
[[nodiscard]] inline const Json* valueAt(const Json& values, const RecipePath& path) {
    const Json* value = &values;
    for (const std::string& key : path) {
        if (!value->is_object()) return nullptr;
        const auto found = value->find(key);
        if (found == value->end()) return nullptr;
        value = &*found;
    }
    return value;
}

}  // namespace calibench
