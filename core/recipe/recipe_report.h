#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/recipe/recipe.h"

namespace calibench {

/// What `recipe check` tells: everything wrong with a recipe, and what it would do to a model.
struct RecipeReport {
    struct Group {
        std::string modifier;      ///< "AutoRoundModifier"
        std::string config_group;  ///< "group_0"
        std::string scheme;        ///< "W4A16 g64 sym"
        std::vector<TargetMatch> targets;
        size_t num_modules = 0;    ///< with a model: those that get this scheme
        int64_t num_weights = 0;
    };

    std::filesystem::path file;
    std::optional<std::filesystem::path> model_dir;
    std::vector<Diagnostic> diagnostics;
    std::optional<std::string> stage;  ///< absent when the recipe has errors of its own
    std::vector<Group> groups;
    size_t num_quantized = 0;          ///< Linear and Embedding modules of the model
    size_t num_left_alone = 0;         ///< its other Linear modules

    [[nodiscard]] bool ok() const;  ///< no error: a run may start
};

/// Reads a recipe and, with a model, holds it against the model's modules. Throws InputError when the file or the model directory
/// cannot be read; what is wrong in the recipe is in the report.
[[nodiscard]] RecipeReport check_recipe(const std::filesystem::path& file, const std::optional<std::filesystem::path>& model_dir = {});

[[nodiscard]] nlohmann::json to_json(const RecipeReport& report);
[[nodiscard]] nlohmann::json to_json(const Diagnostic& diagnostic);
/// The same for people: a line per problem ("recipe.yaml:4:7: error: ..."), then a paragraph per config group.
[[nodiscard]] std::string to_text(const RecipeReport& report);

}  // namespace calibench
