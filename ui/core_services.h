#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "core/base/run_control.h"
#include "core/calibration/preflight.h"
#include "core/calibration/run_config.h"
#include "core/calibration/run_events.h"
#include "core/models/model_summary.h"
#include "core/recipe/recipe.h"

namespace calibench {

/// The core's functions that the window calls, as values: the application hands in the real ones, tests hand in fakes.
/// All of them may be called from any thread and may throw core/base/error.h's exceptions.
struct CoreServices {
    std::function<ModelSummary(const std::filesystem::path&)> inspectModel;
    std::function<ParsedRecipe(const std::string&)> parseRecipe;
    std::function<ResolvedRecipe(const Recipe&, const ModelSummary&)> resolveRecipe;
    std::function<std::string(const Recipe&)> writeRecipe;
    std::function<std::string(const QuantizationScheme&)> describeScheme;
    std::function<PreflightReport(const RunConfig&, const ServingOptions&)> checkBeforeRun;
    std::function<RunSummary(const RunConfig&, RunListener&, RunControl&)> runCalibration;
};

}  // namespace calibench
