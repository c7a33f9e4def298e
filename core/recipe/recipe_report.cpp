#include "core/recipe/recipe_report.h"

#include <algorithm>
#include <map>

#include "core/base/text.h"

namespace calibench {

namespace {

constexpr const char* kSeverityNames[] = {"error", "warning", "note"};

bool is_error(const Diagnostic& diagnostic) { return diagnostic.severity == Diagnostic::Severity::Error; }

std::vector<RecipeReport::Group> list_groups(const Recipe& recipe) {
    std::vector<RecipeReport::Group> groups;
    for (size_t i = 0; i < recipe.modifiers.size(); ++i)
        for (const auto& [name, scheme] : recipe.modifiers[i].config_groups) {
            RecipeReport::Group group{.modifier = recipe.modifiers[i].class_name, .config_group = name, .scheme = describe(scheme)};
            for (const std::string& target : scheme.targets)
                group.targets.push_back({.modifier = i, .config_group = name, .target = target});
            groups.push_back(std::move(group));
        }
    return groups;
}

/// Fills in what the recipe means for one model.
void count_modules(const ResolvedRecipe& resolved, const ModelSummary& model, RecipeReport& report) {
    std::map<std::string, int64_t> weights_of;
    for (const ModuleInfo& module : model.modules) {
        int64_t weights = 1;
        for (const int64_t extent : module.shape) weights *= extent;
        weights_of[module.name] = weights;
    }
    size_t next_target = 0;  // both lists follow the recipe
    for (RecipeReport::Group& group : report.groups) {
        for (TargetMatch& target : group.targets) target = resolved.targets.at(next_target++);
        const size_t modifier = group.targets.empty() ? 0 : group.targets.front().modifier;
        for (const ResolvedModule& module : resolved.modules) {
            if (module.modifier != modifier || module.config_group != group.config_group) continue;
            ++group.num_modules;
            group.num_weights += weights_of[module.name];
        }
    }
    report.num_quantized = resolved.modules.size();
    report.num_left_alone = resolved.ignored.size();
}

std::string place(const RecipeReport& report, const Diagnostic& diagnostic) {
    std::string text = report.file.string();
    if (diagnostic.line > 0) text += concat(":", diagnostic.line);
    if (diagnostic.column > 0) text += concat(":", diagnostic.column);
    return text;
}

size_t count(const RecipeReport& report, Diagnostic::Severity severity) {
    return size_t(std::count_if(report.diagnostics.begin(), report.diagnostics.end(),
                                [severity](const Diagnostic& diagnostic) { return diagnostic.severity == severity; }));
}

std::string counted(size_t number, const std::string& noun) { return concat(number, " ", noun, number == 1 ? "" : "s"); }

}  // namespace

bool RecipeReport::ok() const { return std::none_of(diagnostics.begin(), diagnostics.end(), is_error); }

RecipeReport check_recipe(const std::filesystem::path& file, const std::optional<std::filesystem::path>& model_dir) {
    RecipeReport report{.file = file, .model_dir = model_dir};
    ParsedRecipe parsed = parse_recipe(read_recipe_file(file));
    report.diagnostics = std::move(parsed.diagnostics);
    if (!parsed.recipe) return report;
    report.stage = parsed.recipe->stage;
    report.groups = list_groups(*parsed.recipe);
    if (!model_dir) return report;

    const ModelSummary model = inspect_model(*model_dir);
    const ResolvedRecipe resolved = resolve_recipe(*parsed.recipe, model);
    report.diagnostics.insert(report.diagnostics.end(), resolved.diagnostics.begin(), resolved.diagnostics.end());
    count_modules(resolved, model, report);
    return report;
}

nlohmann::json to_json(const Diagnostic& diagnostic) {
    nlohmann::json object = {{"severity", kSeverityNames[int(diagnostic.severity)]},
                             {"message", diagnostic.message},
                             {"line", diagnostic.line},
                             {"column", diagnostic.column}};
    for (const Fix& fix : diagnostic.fixes) object["fixes"].push_back(fix.label);
    return object;
}

nlohmann::json to_json(const RecipeReport& report) {
    nlohmann::json groups = nlohmann::json::array();
    for (const RecipeReport::Group& group : report.groups) {
        nlohmann::json targets = nlohmann::json::array();
        for (const TargetMatch& target : group.targets) {
            nlohmann::json entry = {{"target", target.target}};
            if (report.model_dir) entry["matched"] = target.matched;
            targets.push_back(std::move(entry));
        }
        nlohmann::json entry = {{"modifier", group.modifier}, {"config_group", group.config_group}, {"scheme", group.scheme}, {"targets", targets}};
        if (report.model_dir) entry.update({{"num_modules", group.num_modules}, {"num_weights", group.num_weights}});
        groups.push_back(std::move(entry));
    }
    nlohmann::json diagnostics = nlohmann::json::array();
    for (const Diagnostic& diagnostic : report.diagnostics) diagnostics.push_back(to_json(diagnostic));
    nlohmann::json object = {{"file", report.file.string()}, {"ok", report.ok()}, {"diagnostics", diagnostics}, {"config_groups", groups}};
    if (report.stage) object["stage"] = *report.stage;
    if (report.model_dir) {
        object["model"] = report.model_dir->string();
        object["num_quantized_modules"] = report.num_quantized;
        object["num_linear_left_alone"] = report.num_left_alone;
    }
    return object;
}

std::string to_text(const RecipeReport& report) {
    std::string text;
    for (const Diagnostic& diagnostic : report.diagnostics)
        text += concat(place(report, diagnostic), ": ", kSeverityNames[int(diagnostic.severity)], ": ", diagnostic.message, "\n");
    for (const RecipeReport::Group& group : report.groups) {
        text += concat(group.modifier, ", ", group.config_group, ": ", group.scheme);
        if (report.model_dir) text += concat(", ", counted(group.num_modules, "module"), " with ", group.num_weights, " weights");
        text += "\n";
        for (const TargetMatch& target : group.targets) {
            text += "    " + target.target;
            if (report.model_dir) text += concat("  matches ", target.matched);
            text += "\n";
        }
    }
    if (report.model_dir && report.stage)
        text += concat(counted(report.num_quantized, "module"), " quantized, ", counted(report.num_left_alone, "other Linear module"), " left alone\n");
    text += report.ok() ? concat(report.file.string(), ": no error, ", counted(count(report, Diagnostic::Severity::Warning), "warning"), "\n")
                        : concat(report.file.string(), ": ", counted(count(report, Diagnostic::Severity::Error), "error"), "\n");
    return text;
}

}  // namespace calibench
