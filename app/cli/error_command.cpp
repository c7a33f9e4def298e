#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <memory>

#include <nlohmann/json.hpp>

#include "app/cli/command.h"
#include "app/cli/interrupts.h"
#include "app/cli/progress_display.h"
#include "core/analysis/overview.h"
#include "core/base/error.h"
#include "core/base/text.h"

namespace calibench::cli {
namespace {

constexpr int64_t channels_in_details = 5;

struct ErrorArguments {
    std::string model, recipe, module;
    std::string run_dir, checkpoint;
    bool json = false;
};

/// The modules that the recipe quantizes and --module names.
std::vector<ResolvedModule> chosen_modules(const ErrorArguments& arguments) {
    const ParsedRecipe parsed = parse_recipe(read_recipe_file(arguments.recipe));
    const auto refuse = [&](const std::vector<Diagnostic>& diagnostics) {
        for (const Diagnostic& diagnostic : diagnostics)
            if (diagnostic.severity == Diagnostic::Severity::Error) throw InputError(concat(arguments.recipe, ": ", to_string(diagnostic)));
    };
    refuse(parsed.diagnostics);
    const ModelSummary model = inspect_model(arguments.model);
    ResolvedRecipe resolved = resolve_recipe(*parsed.recipe, model);
    refuse(resolved.diagnostics);
    if (arguments.module.empty()) return resolved.modules;
    std::vector<ResolvedModule> chosen;
    for (const ModuleInfo& info : model.modules) {
        const ResolvedModule* module = resolved.find(info.name);
        if (module && matches_target(arguments.module, info.name, info.class_name)) chosen.push_back(*module);
    }
    if (chosen.empty())
        throw InputError(concat("The recipe quantizes no module that \"", arguments.module, "\" names. Give a full name, a class, or re: and a regular expression."));
    return chosen;
}

std::string fixed(double value, int digits) {
    if (std::isinf(value)) return "exact";
    char text[32];
    std::snprintf(text, sizeof text, "%.*f", digits, value);
    return text;
}

/// Columns as wide as what they hold; the first and the last to the left.
void print_table(const std::vector<std::vector<std::string>>& lines) {
    std::vector<size_t> widths(lines.front().size());
    for (const auto& line : lines)
        for (size_t column = 0; column < line.size(); ++column) widths[column] = std::max(widths[column], line[column].size());
    for (const auto& line : lines) {
        std::string text;
        for (size_t column = 0; column < line.size(); ++column) {
            const std::string gap(widths[column] - line[column].size(), ' ');
            const bool is_last = column + 1 == line.size();
            text += column == 0 ? line[column] + gap : is_last ? "  " + line[column] : "  " + gap + line[column];
        }
        std::cout << text << "\n";
    }
}

void print_overview(const std::vector<ModuleOverview>& modules) {
    const bool has_inputs = std::any_of(modules.begin(), modules.end(), [](const auto& module) { return module.input.has_value(); });
    const bool has_outputs = std::any_of(modules.begin(), modules.end(), [](const auto& module) { return module.output.has_value(); });
    std::vector<std::vector<std::string>> lines{{"module", "SQNR dB", "worst group", "range use", "clipped", "outliers"}};
    if (has_inputs) lines[0].push_back("inputs");
    if (has_outputs) lines[0].insert(lines[0].end(), {"output dB", "local", "inherited"});
    lines[0].push_back("reason");
    for (const ModuleOverview& module : modules) {
        const WeightFacts& weight = module.weight;
        std::vector<std::string> line{weight.module};
        if (module.problem.empty())
            line.insert(line.end(), {fixed(weight.sqnr_db, 1), fixed(weight.worst_group_sqnr_db, 1), fixed(100 * weight.range_use, 0) + " %",
                                     fixed(100 * weight.clipped_share, 2) + " %", fixed(weight.outlier_ratio, 1)});
        else
            line.resize(6, "-");
        if (has_inputs) line.push_back(module.input ? fixed(module.input->outlier_ratio, 1) : "-");
        if (has_outputs && module.output)
            line.insert(line.end(), {fixed(module.output->output_sqnr_db, 1), fixed(module.output->local_sqnr_db, 1), fixed(module.output->inherited_sqnr_db, 1)});
        else if (has_outputs)
            line.resize(line.size() + 3, "-");
        line.push_back(module.reason);
        lines.push_back(std::move(line));
    }
    print_table(lines);
}

void print_channels(const char* kind, const std::vector<ChannelError>& channels) {
    for (const ChannelError& channel : channels)
        std::cout << "  " << kind << " " << channel.index << ": " << fixed(channel.sqnr_db, 1) << " dB, " << fixed(100 * channel.error_share, 2)
                  << " % of the error, at most " << channel.max_abs_error << "\n";
}

void print_details(const WeightInspection& inspection) {
    const WeightFacts& facts = inspection.facts();
    std::cout << "\n"
              << facts.rows << " x " << facts.columns << ", " << facts.scheme << ", " << facts.num_groups << " scales, the median "
              << facts.median_scale << ", the largest " << facts.largest_scale << "\n"
              << "values from " << facts.min << " to " << facts.max << "\n"
              << "largest error " << facts.max_abs_error << " at row " << facts.max_error_row << ", column " << facts.max_error_column << "\n"
              << "channels that lose most:\n";
    print_channels("row", inspection.worst_rows(channels_in_details));
    print_channels("column", inspection.worst_columns(channels_in_details));
}

nlohmann::json channels_json(const std::vector<ChannelError>& channels) {
    nlohmann::json array = nlohmann::json::array();
    for (const ChannelError& channel : channels)
        array.push_back({{"index", channel.index}, {"sqnr_db", std::isfinite(channel.sqnr_db) ? nlohmann::json(channel.sqnr_db) : nlohmann::json()},
                         {"max_abs_error", channel.max_abs_error}, {"error_share", channel.error_share}});
    return array;
}

int show_error(const ErrorArguments& arguments) {
    RunControl control;
    const Interrupts interrupts(control);
    const OverviewRequest request{arguments.model, chosen_modules(arguments), arguments.checkpoint, arguments.run_dir};
    std::vector<ModuleOverview> modules;
    {
        ProgressDisplay display;
        modules = inspect_modules(request, control, [&](const ModuleOverview&, double fraction) { display.show_fraction("modules", fraction); });
    }
    std::stable_sort(modules.begin(), modules.end(), [](const auto& a, const auto& b) { return a.badness > b.badness; });

    std::shared_ptr<const WeightInspection> details;
    if (modules.size() == 1 && modules.front().problem.empty()) {
        WeightRequest one{.model_dir = arguments.model, .module = modules.front().weight.module, .weights = {}, .checkpoint_dir = arguments.checkpoint,
                          .run_dir = arguments.run_dir, .fused_with = {}, .channel_mean_square = {}};
        if (arguments.checkpoint.empty() && arguments.run_dir.empty()) one.weights = request.modules.front().scheme.weights;
        details = inspect_weight(one);
    }
    if (arguments.json) {
        nlohmann::json array = nlohmann::json::array();
        for (const ModuleOverview& module : modules) array.push_back(to_json(module));
        if (details) {
            array[0]["worst_rows"] = channels_json(details->worst_rows(channels_in_details));
            array[0]["worst_columns"] = channels_json(details->worst_columns(channels_in_details));
        }
        std::cout << array.dump(2) << "\n";
        return exit_done;
    }
    print_overview(modules);
    if (details) print_details(*details);
    return exit_done;
}

}  // namespace

void add_error(CLI::App& app, Command& chosen) {
    auto arguments = std::make_shared<ErrorArguments>();
    CLI::App* command = app.add_subcommand("error", "Show what quantization does to each module, the worst first");
    command->add_option("--model", arguments->model, "Hugging Face model directory, as it was before")->required();
    command->add_option("--recipe", arguments->recipe, "llm-compressor recipe (YAML)")->required();
    CLI::Option* run_dir = command->add_option("--run-dir", arguments->run_dir, "Show what this run made of them, and what it saw of their inputs");
    command->add_option("--checkpoint", arguments->checkpoint, "Show what an export holds; with neither, weights are rounded to nearest")->excludes(run_dir);
    command->add_option("--module", arguments->module, "Only these: a full name, a class, or re: and a regular expression; details for one");
    command->add_flag("--json", arguments->json, "Print JSON");
    command->callback([arguments, &chosen] { chosen = [arguments] { return show_error(*arguments); }; });
}

}  // namespace calibench::cli
