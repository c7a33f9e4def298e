#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>

#include "core/calibration/range_tracker.h"
#include "core/calibration/run_events.h"

namespace calibench {

/// How the tuning of a block went.
struct TuningCourse {
    std::string block;       ///< "model.layers.3"
    int64_t iters = 0;
    double lr = 0;
    double initial_loss_mse = 0;
    double best_loss_mse = 0;
    int64_t best_iteration = 0;
};

/// Looks at what passes in a run for what a person should know of, and says it once: what it is, and what to do. Modules of one
/// block with the same trouble share a sentence.
class RunWarnings {
public:
    /// The weight [out, in] of a module that is to be quantized.
    void see_weight(int64_t block, const std::string& module, const at::Tensor& weight);
    /// All inputs of a module; `quantized`: they are to be.
    void see_inputs(int64_t block, const std::string& module, const ValueRange& range, bool quantized);
    /// What static scales cover of the inputs that passed.
    void see_static_range(int64_t block, const std::string& module, const ValueRange& passed, const ValueRange& covered);
    /// All tokens that an expert's module was given.
    void see_tokens(const std::string& module, int64_t expert, int64_t tokens);
    void see_tuning(const TuningCourse& course);
    /// The quantized block computed NaN or infinity.
    void see_outputs_not_finite(const std::string& block);

    /// What has not been said before.
    [[nodiscard]] std::vector<Warning> take();

private:
    enum class Trouble { WeightColumns, InputOutliers, InputsClipped, InputsNotFinite, OutputsNotFinite, NoGain, StarvedExperts };
    struct Finding {
        std::string module;
        double share = 0;  ///< of the range
    };

    [[nodiscard]] static Warning::Kind kind_of(Trouble trouble);
    void say(const std::string& module, Trouble trouble, std::string message);
    void say_together(int64_t block, Trouble trouble, const std::vector<Finding>& findings);
    void say_starved(const std::string& experts, const std::map<int64_t, int64_t>& tokens);

    std::map<std::pair<int64_t, Trouble>, std::vector<Finding>> findings_;  ///< by block
    std::map<std::string, std::map<int64_t, int64_t>> expert_tokens_;       ///< by "model.layers.1.mlp.experts" and expert
    std::vector<Warning> warnings_;
    std::set<std::pair<std::string, Trouble>> said_;
};

}  // namespace calibench
