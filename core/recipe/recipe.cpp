#include "core/recipe/recipe.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <tuple>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/quantization/target.h"
#include "core/recipe/yaml_tree.h"

namespace calibench {

SourcePosition Modifier::position(const std::string& path) const {
    const auto found = positions.find(path);
    return found == positions.end() ? SourcePosition{line, 0} : found->second;
}

bool Modifier::operator==(const Modifier& other) const {
    const auto content = [](const Modifier& m) {
        return std::tie(m.class_name, m.group, m.settings, m.config_groups, m.targets, m.ignore, m.scheme, m.kv_cache_scheme,
                        m.weight_observer, m.input_observer, m.output_observer, m.bypass_divisibility_checks, m.index, m.start,
                        m.end, m.update);
    };
    return content(*this) == content(other);
}

bool Recipe::operator==(const Recipe& other) const {
    return std::tie(stage, modifiers, args, calibench) == std::tie(other.stage, other.modifiers, other.args, other.calibench);
}

bool matches_target(const std::string& target, const std::string& module_name, const std::string& class_name) {
    return Target(target).match(module_name, class_name) != Target::Match::None;
}

std::string read_recipe_file(const std::filesystem::path& file) {
    std::error_code failure;
    const auto size = std::filesystem::file_size(file, failure);
    if (failure) throw InputError(concat(file.string(), ": cannot read the recipe: ", failure.message()));
    if (size > kMaxRecipeBytes)
        throw InputError(concat(file.string(), ": has ", format_bytes(double(size)), ", too much for a recipe"));
    std::ifstream stream(file, std::ios::binary);
    std::string text{std::istreambuf_iterator<char>(stream), {}};
    if (!stream) throw InputError(concat(file.string(), ": cannot read the recipe"));
    return text;
}

Recipe load_recipe(const std::filesystem::path& file) {
    ParsedRecipe parsed = parse_recipe(read_recipe_file(file));
    if (parsed.recipe) return std::move(*parsed.recipe);
    const auto error = std::find_if(parsed.diagnostics.begin(), parsed.diagnostics.end(), [](const Diagnostic& diagnostic) {
        return diagnostic.severity == Diagnostic::Severity::Error;
    });
    const std::string line = error->line > 0 ? concat(error->line, ": ") : " ";
    throw InputError(concat(file.string(), ":", line, error->message));
}

}  // namespace calibench
