#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <vector>

#include "core/analysis/input_inspection.h"
#include "core/analysis/weight_inspection.h"
#include "core/base/run_control.h"
#include "core/models/model_summary.h"
#include "core/recipe/recipe.h"

namespace calibench {

/// One row of the overview.
struct ModuleOverview {
    WeightFacts weight;
    std::optional<InputFacts> input;        ///< of a run that looked
    std::optional<InputAnswer> input_answer;  ///< where inputs are quantized
    std::optional<OutputError> output;
    double badness = 0;  ///< what the table is sorted by at first: the worst of all these, comparable between modules (overview.cpp)
    std::string reason;  ///< the fact that made it so, for people: "one of 576 scales is 1000 times the median"
};

struct OverviewRequest {
    std::filesystem::path model_dir;
    std::vector<ResolvedModule> modules;
    std::filesystem::path checkpoint_dir, run_dir;  ///< as WeightRequest's; both empty: rounded to nearest
};

/// One module after the other, told as it is known, in model order; memory follows the largest weight. Throws Cancelled, InputError.
std::vector<ModuleOverview> inspect_modules(const OverviewRequest& request, RunControl& control,
                                            const std::function<void(const ModuleOverview&, double fraction)>& on_module = {});

}  // namespace calibench
