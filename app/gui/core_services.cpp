#include "app/gui/core_services.h"

#include "core/analysis/module_badness.h"
#include "core/calibration/run.h"
#include "core/observers/registry.h"
#include "core/recipe/vllm_rules.h"
#include "core/report/run_report.h"

namespace calibench {

CoreServices coreServices() {
    return {.inspectModel = inspect_model,
            .parseRecipe = parse_recipe,
            .resolveRecipe = [](const Recipe& recipe, const ModelSummary& model) { return resolve_recipe(recipe, model); },
            .writeRecipe = [](const Recipe& recipe) { return to_yaml(recipe); },
            .describeScheme = [](const QuantizationScheme& scheme) { return describe(scheme); },
            .presetSchemeNames = preset_scheme_names,
            .presetScheme = [](const std::string& name) { return preset_scheme(name, {}); },
            .observerNames = observer_names,
            .recipeValues = recipe_values,
            .withValue = with_value,
            .without = without,
            .withOverride = with_override,
            .withIgnored = with_ignored,
            .withPinned = with_pinned,
            .matchedModules = matched_modules,
            .checkBeforeRun = check_before_run,
            .checkServing = [](const Recipe& recipe, const ResolvedRecipe& resolved, const ModelSummary& model) { return check_vllm(recipe, resolved, model); },
            .readRun = read_run,
            .runCalibration = run_calibration,
            .previewReuse = preview_reuse,
            .factsOfRun = facts_of_run,
            .readNotes = read_notes,
            .writeNotes = write_notes,
            .measurePerplexity = measure_perplexity,
            .reportOnRuns = report_on_run_dirs,
            .reportHtml = to_html,
            .inspectWeight = inspect_weight,
            .inspectInput = inspect_input,
            .readOutputErrors = read_output_errors,
            .inspectModules = inspect_modules,
            .judgeModules = [](std::vector<ModuleOverview>& modules) { judge_modules(modules); }};
}

}  // namespace calibench
