#include "app/gui/core_services.h"

#include "core/calibration/run.h"

namespace calibench {

CoreServices coreServices() {
    return {.inspectModel = inspect_model,
            .parseRecipe = parse_recipe,
            .resolveRecipe = [](const Recipe& recipe, const ModelSummary& model) { return resolve_recipe(recipe, model); },
            .writeRecipe = [](const Recipe& recipe) { return to_yaml(recipe); },
            .describeScheme = [](const QuantizationScheme& scheme) { return describe(scheme); },
            .checkBeforeRun = check_before_run,
            .runCalibration = run_calibration};
}

}  // namespace calibench
