#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "core/analysis/input_inspection.h"
#include "core/analysis/overview.h"
#include "core/analysis/weight_inspection.h"
#include "core/base/run_control.h"
#include "core/calibration/preflight.h"
#include "core/calibration/reuse_preview.h"
#include "core/calibration/run_config.h"
#include "core/calibration/run_directory.h"
#include "core/calibration/run_events.h"
#include "core/models/model_summary.h"
#include "core/recipe/recipe.h"
#include "core/recipe/recipe_edit.h"
#include "core/recipe/recipe_values.h"
#include "core/report/report.h"
#include "core/report/run_notes.h"

namespace calibench {

/// The core's functions that the window calls, as values: the application hands in the real ones, tests hand in fakes.
/// All of them may be called from any thread and may throw core/base/error.h's exceptions.
struct CoreServices {
    std::function<ModelSummary(const std::filesystem::path&)> inspectModel;
    std::function<ParsedRecipe(const std::string&)> parseRecipe;
    std::function<ResolvedRecipe(const Recipe&, const ModelSummary&)> resolveRecipe;
    std::function<std::string(const Recipe&)> writeRecipe;
    std::function<std::string(const QuantizationScheme&)> describeScheme;
    std::function<std::vector<std::string>()> presetSchemeNames;
    std::function<QuantizationScheme(const std::string& name)> presetScheme;  ///< without targets
    std::function<std::vector<std::string>()> observerNames;
    std::function<nlohmann::ordered_json(const std::string&)> recipeValues;  ///< core/recipe/recipe_values.h
    // Changes of a recipe's text (core/recipe/recipe_edit.h).
    std::function<std::string(const std::string&, const RecipePath&, const nlohmann::ordered_json&)> withValue;
    std::function<std::string(const std::string&, const RecipePath&)> without;
    std::function<std::string(const std::string&, const ModelSummary&, const std::vector<std::string>&, const QuantizationScheme&)> withOverride;
    std::function<std::string(const std::string&, const ModelSummary&, const std::vector<std::string>&)> withIgnored, withPinned;
    std::function<std::vector<std::string>(const std::string& target, const ModelSummary&)> matchedModules;
    std::function<PreflightReport(const RunConfig&, const ServingOptions&)> checkBeforeRun;
    std::function<std::vector<Diagnostic>(const Recipe&, const ResolvedRecipe&, const ModelSummary&)> checkServing;  ///< on one GPU (core/recipe/vllm_rules.h)
    std::function<StoredRun(const std::filesystem::path& runDir)> readRun;
    std::function<RunSummary(const RunConfig&, RunListener&, RunControl&)> runCalibration;
    std::function<ReusePreview(const RunConfig&)> previewReuse;  ///< of config.reuse
    // Runs of earlier days (core/report).
    std::function<RunFacts(const std::filesystem::path& runDir)> factsOfRun;
    std::function<RunNotes(const std::filesystem::path& runDir)> readNotes;
    std::function<void(const std::filesystem::path& runDir, const RunNotes&)> writeNotes;
    std::function<PerplexityNote(const RunFacts&, const PerplexityOptions&, const std::optional<PerplexityNote>& known, RunControl&, const std::function<void(double)>&)> measurePerplexity;
    // Reports (core/report).
    std::function<Report(const std::vector<std::filesystem::path>& runDirs)> reportOnRuns;
    std::function<std::string(const Report&)> reportHtml;
    // What quantization does to single modules (core/analysis).
    std::function<std::shared_ptr<const WeightInspection>(const WeightRequest&)> inspectWeight;
    std::function<std::shared_ptr<const InputInspection>(const std::filesystem::path& runDir, const std::string& module)> inspectInput;
    std::function<std::vector<OutputError>(const std::filesystem::path& runDir)> readOutputErrors;
    std::function<std::vector<ModuleOverview>(const OverviewRequest&, RunControl&, const std::function<void(const ModuleOverview&, double)>&)> inspectModules;
    std::function<void(std::vector<ModuleOverview>&)> judgeModules;  ///< badness and reason of each, held against the others
};

}  // namespace calibench
