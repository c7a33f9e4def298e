#include <iostream>
#include <memory>
#include <optional>

#include "app/cli/command.h"
#include "core/recipe/recipe_report.h"

namespace calibench::cli {

void add_recipe(CLI::App& app, Command& chosen) {
    struct Arguments {
        std::string file;
        std::optional<std::string> model;
        bool json = false;
    };
    auto arguments = std::make_shared<Arguments>();
    CLI::App* recipe = app.add_subcommand("recipe", "Work on recipes");
    recipe->require_subcommand(1);
    CLI::App* check = recipe->add_subcommand("check", "Tell what is wrong with a recipe, and what it would do to a model");
    check->add_option("file", arguments->file, "llm-compressor recipe (YAML)")->required();
    check->add_option("--model", arguments->model, "Hold it against this model's modules");
    check->add_flag("--json", arguments->json, "Print JSON");
    check->callback([arguments, &chosen] {
        chosen = [arguments] {
            std::optional<std::filesystem::path> model;
            if (arguments->model) model = *arguments->model;
            const RecipeReport report = check_recipe(arguments->file, model);
            if (arguments->json) std::cout << to_json(report).dump(2) << "\n";
            else (report.ok() ? std::cout : std::cerr) << to_text(report);
            return report.ok() ? exit_done : exit_bad_input;
        };
    });
}

}  // namespace calibench::cli
