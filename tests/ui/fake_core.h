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
        if (name == "FP8_DYNAMIC") {
            scheme.weights = QuantizationArgs{.num_bits = 8, .type = QuantizationType::Float, .strategy = Strategy::Channel};
            scheme.input_activations = QuantizationArgs{.num_bits = 8, .type = QuantizationType::Float, .strategy = Strategy::Token, .dynamic = Dynamic::Yes};
            return scheme;
        }
        if (name == "NVFP4") {
            scheme.weights = QuantizationArgs{.num_bits = 4, .type = QuantizationType::Float, .group_size = 16, .strategy = Strategy::TensorGroup, .scale_dtype = DType::Float8E4M3};
            scheme.input_activations = scheme.weights;
            scheme.input_activations->dynamic = Dynamic::Local;
            return scheme;
        }
        if (name.starts_with("MXFP")) {
            scheme.weights = QuantizationArgs{.num_bits = name[4] - '0', .type = QuantizationType::Float, .group_size = 32, .strategy = Strategy::Group, .scale_dtype = DType::UInt8};
            return scheme;
        }
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
    services.checkServing = [](const Recipe&, const ResolvedRecipe&, const ModelSummary&) { return std::vector<Diagnostic>(); };
    services.checkBeforeRun = [](const RunConfig&, const ServingOptions& serving) {
        PreflightReport report{.num_quantized = 6, .source_bytes = 6144, .compressed_bytes = 2048, .bits_per_quantized_weight = 4.5};
        report.serving = {{Diagnostic::Severity::Note, "needs a new GPU"}};
        if (serving.tensor_parallel > 1) report.serving.push_back({Diagnostic::Severity::Error, "groups are cut"});
        return report;
    };
    services.reportOnRuns = [](const std::vector<std::filesystem::path>& runDirs) {
        if (runDirs.front().filename() == "damaged") throw InputError("damaged/run.json, line 1: no run. Choose another directory.");
        const std::string svg = "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"720\" height=\"200\" viewBox=\"0 0 720 200\"><rect width=\"720\" height=\"200\" fill=\"#0072b2\"/></svg>";
        Report report{.title = concat("Report on ", runDirs.size(), " run(s)"), .subtitle = runDirs.front().string(), .sections = {}};
        report.sections.push_back({.title = "Losses", .level = 1, .blocks = {Paragraph{"What came of it"}, Picture{svg, "A picture"},
                                   Table{.columns = {{"Module"}, {"SQNR, dB", true}}, .rows = {{"q_proj", "21.5"}}}, Listing{"quant_stage:\n  iters: 3"}}});
        return report;
    };
    services.reportHtml = [](const Report& report) { return "<html>" + report.title + report.subtitle + "</html>"; };
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
    services.factsOfRun = [](const std::filesystem::path& directory) -> RunFacts { throw InputError(concat(directory.string(), " holds no run of Calibench.")); };
    services.readNotes = [](const std::filesystem::path&) { return RunNotes(); };
    services.writeNotes = [](const std::filesystem::path&, const RunNotes&) {};
    addAnalysis(services);
    return services;
}

}  // namespace calibench::test
