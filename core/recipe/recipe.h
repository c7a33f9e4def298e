#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/models/model_summary.h"
#include "core/quantization/auto_round_knobs.h"
#include "core/quantization/quantization_scheme.h"

namespace calibench {

/// A place in the recipe's text, counted from 1; line 0 is the whole text.
struct SourcePosition {
    int line = 0;
    int column = 0;  ///< in bytes, as yaml-cpp counts
    bool operator==(const SourcePosition&) const = default;
};

/// A change of the text that would settle a problem: replaces `length` bytes at `offset`.
struct Fix {
    std::string label;  ///< what it does, a verb first: "Use group_size 64"
    size_t offset = 0;
    size_t length = 0;
    std::string replacement;
    bool operator==(const Fix&) const = default;
};

/// Something the recipe's author should know, at its place in the text.
struct Diagnostic {
    enum class Severity { Error, Warning, Note };
    Severity severity = Severity::Error;
    std::string message;  ///< one sentence: what, and what to do
    int line = 0;         ///< 1-based; 0: the whole file
    int column = 0;       ///< 1-based
    std::vector<Fix> fixes = {};  ///< the likeliest first
    bool operator==(const Diagnostic&) const = default;
};

/// AutoRoundModifier's own arguments (llmcompressor/modifiers/autoround/base.py), and the knobs of the recipe's `calibench:` section,
/// which llm-compressor leaves alone: its modifier forbids extra fields.
struct AutoRoundSettings : AutoRoundKnobs {
    int64_t iters = 200;  ///< 0: no tuning
    int64_t batch_size = 8;
    std::optional<double> lr;  ///< unset: 1/iters
    bool enable_torch_compile = true;  ///< read and written for llm-compressor; means nothing here
    bool disable_opt_rtn = false;
    std::optional<std::string> device_ids;
    bool operator==(const AutoRoundSettings&) const = default;
};

/// QuantizationModifier has nothing of its own beyond QuantizationMixin.
struct RoundToNearestSettings {
    bool operator==(const RoundToNearestSettings&) const = default;
};

struct Modifier {
    std::string class_name;  ///< "AutoRoundModifier" | "QuantizationModifier"
    std::string group;       ///< "quant" of quant_modifiers
    std::vector<std::string> path;  ///< keys from the top of the text: {"quant_stage", "quant_modifiers", "AutoRoundModifier"}
    int line = 0;
    std::variant<RoundToNearestSettings, AutoRoundSettings> settings;

    // QuantizationMixin (llmcompressor/modifiers/quantization/quantization/mixin.py)
    std::vector<std::pair<std::string, QuantizationScheme>> config_groups;  ///< in file order, resolved from `scheme` too
    std::vector<std::string> targets = {"Linear"};
    std::vector<std::string> ignore;
    std::optional<std::string> scheme;  ///< the preset's name as written, when one was
    std::optional<QuantizationArgs> kv_cache_scheme;
    std::optional<std::string> weight_observer, input_observer, output_observer;  ///< already applied to config_groups
    bool bypass_divisibility_checks = false;

    // Modifier (llmcompressor/modifiers/modifier.py): read and written, without a meaning for one-shot calibration.
    std::optional<int64_t> index;
    std::optional<double> start, end, update;

    /// Where things stand in the text: "config_groups/attn", "config_groups/attn/targets/0", "ignore/2". Empty for a recipe
    /// that was never text.
    std::map<std::string, SourcePosition> positions;
    /// The position of `path`, or the modifier's own line.
    [[nodiscard]] SourcePosition position(const std::string& path) const;

    /// Says the same; where it says it (line, positions) does not count.
    bool operator==(const Modifier& other) const;
};

struct Recipe {
    std::string stage;  ///< the last stage's name, as in the reference
    std::vector<Modifier> modifiers;  ///< of all stages, in order
    nlohmann::json args = nlohmann::json::object();       ///< the top-level `args`, kept as written
    nlohmann::json calibench = nlohmann::json::object();  ///< the top-level `calibench`: AutoRoundSettings repeats what it knows
    std::string source;  ///< the text it was read from, for fixes; empty for a recipe that was never text

    /// Says the same; in which text does not count.
    bool operator==(const Recipe& other) const;
};

struct ParsedRecipe {
    std::optional<Recipe> recipe;  ///< absent when there are errors
    std::vector<Diagnostic> diagnostics;
};

/// Reads llm-compressor recipe YAML, JSON or Markdown front matter (grammar: recipe_parser.cpp). Never throws on bad text:
/// everything that is wrong is in `diagnostics`, all of it at once, in text order.
[[nodiscard]] ParsedRecipe parse_recipe(const std::string& text);
/// The text of a recipe file. Throws InputError when it cannot be read or is too large to be a recipe.
[[nodiscard]] std::string read_recipe_file(const std::filesystem::path& file);
/// Throws InputError "FILE:LINE: ..." for the first error.
[[nodiscard]] Recipe load_recipe(const std::filesystem::path& file);
/// In the form llm-compressor accepts: `<stage>_stage: <group>_modifiers: Class: args`, unset fields dropped. What it would refuse
/// all the same, an observer that only Calibench has, is named in a comment at the top. parse_recipe gives the same recipe back.
[[nodiscard]] std::string to_yaml(const Recipe& recipe);

/// Does a recipe target (exact name, class name, or "re:" + pattern matched from the start) match this module?
/// Throws InputError for a pattern that is no regular expression. For many modules, keep a Target (core/quantization/target.h).
[[nodiscard]] bool matches_target(const std::string& target, const std::string& module_name, const std::string& class_name);

/// What the recipe means for one module.
struct ResolvedModule {
    std::string name;
    QuantizationScheme scheme;
    std::string config_group;
    size_t modifier = 0;  ///< index into Recipe::modifiers
};

/// What one target of one config group found.
struct TargetMatch {
    size_t modifier = 0;
    std::string config_group;
    std::string target;
    size_t matched = 0;  ///< Linear and Embedding modules, before `ignore`
};

struct ResolvedRecipe {
    std::vector<ResolvedModule> modules;  ///< quantized ones, in model order
    std::vector<std::string> ignored;     ///< Linear modules left as they are, in model order
    std::vector<TargetMatch> targets;     ///< in recipe order
    std::optional<QuantizationArgs> kv_cache_scheme;  ///< of the last modifier that has one
    std::vector<Diagnostic> diagnostics;  ///< unmatched targets, group sizes that do not divide, with sizes that fit
    [[nodiscard]] const ResolvedModule* find(const std::string& name) const;
    [[nodiscard]] bool has_errors() const;
};

/// Applies the recipe to a model's modules before any work starts. Never throws; problems are diagnostics. As in
/// compressed-tensors, a module's exact name goes before a pattern and a pattern before a class name (alphabetically within
/// a kind), whatever the order of the groups; of several modifiers the last one decides.
[[nodiscard]] ResolvedRecipe resolve_recipe(const Recipe& recipe, const ModelSummary& model);

[[nodiscard]] std::string to_string(const Diagnostic& diagnostic);  ///< "line 4: error: ..."

}  // namespace calibench
