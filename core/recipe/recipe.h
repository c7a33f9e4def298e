#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/models/model_summary.h"
#include "core/quantization/quantization_scheme.h"

namespace calibench {

/// Something the recipe's author should know, at its place in the text.
struct Diagnostic {
    enum class Severity { Error, Warning, Note };
    Severity severity = Severity::Error;
    std::string message;  ///< one sentence: what, and what to do
    int line = 0;         ///< 1-based; 0: the whole file
    int column = 0;       ///< 1-based
    bool operator==(const Diagnostic&) const = default;
};

/// AutoRoundModifier's own arguments (llmcompressor/modifiers/autoround/base.py).
struct AutoRoundSettings {
    int64_t iters = 200;  ///< 0: round to nearest
    int64_t batch_size = 8;
    std::optional<double> lr;  ///< unset: 1/iters
    bool enable_torch_compile = true;  ///< read and written for llm-compressor; means nothing here
    bool disable_opt_rtn = false;
    std::optional<std::string> device_ids;
};

/// QuantizationModifier has nothing of its own beyond QuantizationMixin.
struct RoundToNearestSettings {};

struct Modifier {
    std::string class_name;  ///< "AutoRoundModifier" | "QuantizationModifier"
    std::string group;       ///< "quant" of quant_modifiers
    int line = 0;
    std::variant<RoundToNearestSettings, AutoRoundSettings> settings;

    // QuantizationMixin (llmcompressor/modifiers/quantization/quantization/mixin.py)
    std::vector<std::pair<std::string, QuantizationScheme>> config_groups;  ///< resolved from `scheme` too; first match wins
    std::vector<std::string> targets = {"Linear"};
    std::vector<std::string> ignore;
    std::optional<std::string> scheme;  ///< the preset's name as written, when one was
    std::optional<QuantizationArgs> kv_cache_scheme;
    bool bypass_divisibility_checks = false;
};

struct Recipe {
    std::string stage;  ///< the last stage's name, as in the reference
    std::vector<Modifier> modifiers;  ///< of all stages, in order
};

struct ParsedRecipe {
    std::optional<Recipe> recipe;  ///< absent when there are errors
    std::vector<Diagnostic> diagnostics;
};

/// Reads llm-compressor recipe YAML (or JSON, or Markdown front matter; see peers' grammar in recipe.cpp). Never throws on bad
/// text: everything that is wrong is in `diagnostics`, all of it at once.
[[nodiscard]] ParsedRecipe parse_recipe(const std::string& text);
/// Throws InputError "FILE:LINE: ..." for the first error.
[[nodiscard]] Recipe load_recipe(const std::filesystem::path& file);
/// In the form llm-compressor accepts: `<stage>_stage: <group>_modifiers: Class: args`, unset fields dropped.
[[nodiscard]] std::string to_yaml(const Recipe& recipe);

/// Does a recipe target (exact name, class name, or "re:" + pattern matched from the start) match this module?
[[nodiscard]] bool matches_target(const std::string& target, const std::string& module_name, const std::string& class_name);

/// What the recipe means for one module.
struct ResolvedModule {
    std::string name;
    QuantizationScheme scheme;
    std::string config_group;
    size_t modifier = 0;  ///< index into Recipe::modifiers
};

struct ResolvedRecipe {
    std::vector<ResolvedModule> modules;  ///< quantized ones, in model order
    std::vector<std::string> ignored;     ///< Linear modules left as they are, in model order
    std::vector<Diagnostic> diagnostics;  ///< unmatched targets, group sizes that do not divide, with sizes that fit
    [[nodiscard]] const ResolvedModule* find(const std::string& name) const;
};

/// Applies the recipe to a model's modules before any work starts. Never throws; problems are diagnostics.
[[nodiscard]] ResolvedRecipe resolve_recipe(const Recipe& recipe, const ModelSummary& model);

[[nodiscard]] std::string to_string(const Diagnostic& diagnostic);  ///< "line 4: error: ..."

}  // namespace calibench
