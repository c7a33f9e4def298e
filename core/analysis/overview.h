#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <vector>

#include <nlohmann/json.hpp>

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
    /// What the table is sorted by at first, in dB: by how much the module is worse than its peers, where it is so most. Peers are the same
    /// projection in other blocks and experts, under the same scheme (module_badness.h). 0 or less: no worse than they.
    double badness = 0;
    std::string reason;  ///< the fact that made it so, for people: "1 of 576 scales is 1000 times the median"
    std::string problem;  ///< not empty: its weight could not be looked at, and why; `weight` has nothing but its name then
};

struct OverviewRequest {
    std::filesystem::path model_dir;
    std::vector<ResolvedModule> modules;
    std::filesystem::path checkpoint_dir, run_dir;  ///< as WeightRequest's; both empty: rounded to nearest
};

/// One module after the other, told as it is known, in model order; memory follows the largest weight. Badness and reason take all modules:
/// those that are told as they are known have none yet. Throws Cancelled, InputError.
std::vector<ModuleOverview> inspect_modules(const OverviewRequest& request, RunControl& control,
                                            const std::function<void(const ModuleOverview&, double fraction)>& on_module = {});

/// One object; what is infinite (dB of what loses nothing) is null.
[[nodiscard]] nlohmann::json to_json(const ModuleOverview& module);

}  // namespace calibench
