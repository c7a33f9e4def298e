#pragma once

#include <QDir>
#include <QFile>
#include <QString>

#include <algorithm>
#include <chrono>
#include <thread>

#include "core/base/error.h"
#include "core/base/text.h"
#include "tests/ui/fake_analysis.h"
#include "tests/ui/fixtures.h"
#include "ui/core_services.h"

namespace calibench::test {

/// A recipe is wrong on the line that holds "oops"; any other quantizes all that is Linear in a block. A model folder is
/// broken when its name says so. A run emits a few events; with `endless` it goes on until it is stopped.
inline CoreServices fakeCore(bool endless = false) {
    CoreServices services;
    services.inspectModel = [](const std::filesystem::path& folder) {
        if (folder.filename() == "broken") throw InputError("broken/config.json: no architectures. Choose a decoder model.");
        ModelSummary model = denseModel(2);
        model.path = folder;
        return model;
    };
    services.parseRecipe = [](const std::string& text) {
        ParsedRecipe parsed;
        if (const size_t at = text.find("oops"); at != std::string::npos)
            parsed.diagnostics.push_back({.message = "unknown key oops", .line = 1 + static_cast<int>(std::count(text.begin(), text.begin() + static_cast<long>(at), '\n')), .column = 1});
        else
            parsed.recipe = Recipe{.stage = "test"};
        if (text.starts_with("modifiers:"))
            parsed.diagnostics.push_back({.severity = Diagnostic::Severity::Note, .message = "llm-compressor reads nothing of this", .line = 1, .column = 1});
        return parsed;
    };
    services.resolveRecipe = [](const Recipe&, const ModelSummary& model) {
        ResolvedRecipe resolved;
        for (const ModuleInfo& module : model.modules)
            if (module.class_name == "Linear" && module.block >= 0) resolved.modules.push_back({.name = module.name});
        return resolved;
    };
    services.writeRecipe = [](const Recipe& recipe) { return recipe.stage + "_stage: {}\n"; };
    services.describeScheme = [](const QuantizationScheme&) { return std::string("W4 g64 sym"); };
    services.presetSchemeNames = [] { return std::vector<std::string>{"W4A16", "W8A8", "MXFP4"}; };
    services.presetScheme = [](const std::string& name) {
        QuantizationScheme scheme;
        scheme.weights = QuantizationArgs{.num_bits = name[1] - '0', .group_size = 128, .strategy = Strategy::Group};
        return scheme;
    };
    services.observerNames = [] { return std::vector<std::string>{"memoryless_minmax", "minmax", "mse"}; };
    services.recipeValues = [](const std::string&) { return nlohmann::ordered_json(); };
    services.withOverride = [](const std::string& recipe, const ModelSummary&, const std::vector<std::string>& modules, const QuantizationScheme& scheme) {
        return concat(recipe, "# W", scheme.weights->num_bits, " g", *scheme.weights->group_size, ": ", list_names(modules, modules.size()), "\n");
    };
    services.withIgnored = [](const std::string& recipe, const ModelSummary&, const std::vector<std::string>& modules) {
        return concat(recipe, "# ignored: ", list_names(modules, modules.size()), "\n");
    };
    services.withPinned = [](const std::string&, const ModelSummary&, const std::vector<std::string>&) -> std::string {
        throw InputError("The recipe's groups are behind an alias. Write them out to pin modules.");
    };
    services.runCalibration = [endless](const RunConfig& config, RunListener& listener, RunControl& control) {
        const ModelSummary model = denseModel(2);
        listener.on_event(startOf(model, 3));
        listener.on_event(Progress{.block = 0, .num_blocks = 2, .iteration = 1, .iters = 3, .stage = "tuning", .fraction = 0.25, .elapsed_seconds = 1, .remaining_seconds = 3});
        for (int block = 0; block < 2; ++block) {
            listener.on_event(BlockStarted{.block = block});
            const std::string q = "model.layers." + std::to_string(block) + ".self_attn.q_proj";
            listener.on_event(RangeObserved{.block = block, .module = q, .min = -0.5, .max = 0.5, .p001 = -0.3, .p999 = 0.3});
            listener.on_event(TokensCounted{.block = block, .module = q, .tokens = 128});
            for (int i = 0; i < 3; ++i) listener.on_event(LossRecorded{.block = block, .iteration = i, .loss_mse = 1e-4 / (i + 1), .best = true});
            listener.on_event(Warning{q, "2 channels hold 40 % of the range"});
            while (endless) {
                control.checkpoint();
                std::this_thread::sleep_for(std::chrono::milliseconds(1));
            }
            listener.on_event(BlockFinished{.block = block, .initial_loss_mse = 1e-4, .best_loss_mse = 5e-5, .best_iteration = 2, .seconds = 1});
        }
        std::filesystem::create_directories(config.output_dir);
        QFile file(config.output_dir / "config.json");
        if (file.open(QIODevice::WriteOnly)) file.write(R"({"quantization_config": {"format": "pack-quantized"}})");
        return RunSummary{.seconds = 2, .num_quantized_modules = 6, .output_bytes = 100, .mean_initial_loss_mse = 1e-4, .mean_best_loss_mse = 5e-5,
                          .output_dir = config.output_dir, .run_dir = config.run_dir};
    };
    addAnalysis(services);
    return services;
}

}  // namespace calibench::test
