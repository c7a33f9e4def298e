#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>

#include "core/calibration/float_block.h"
#include "core/calibration/input_sketches.h"
#include "core/calibration/module_observers.h"
#include "core/calibration/range_tracker.h"
#include "core/calibration/run_plan.h"
#include "core/calibration/run_reporter.h"

namespace calibench {

/// What a block shows while it still computes in floating point: ranges and token counts, told while they fill, and what the
/// observers of a recipe's schemes see. Activations are observed there, as in llm-compressor, which calibrates with quantization
/// switched off.
class BlockObservation {
public:
    BlockObservation(const RunPlan& plan, FloatBlock& block, RunReporter& reporter);

    /// The block's outputs on `inputs`, [samples, seq, hidden] both, with observers for `modules`.
    [[nodiscard]] at::Tensor run(const at::Tensor& inputs, const ModulePlans& modules);
    /// Only the weights, where nothing else is asked for.
    void run_without_samples(const ModulePlans& modules);
    /// Observers for other schemes; passes the inputs again where one of them looks at activations.
    void observe_again(const at::Tensor& inputs, const ModulePlans& modules);

    [[nodiscard]] const std::map<std::string, ModuleObservers>& modules() const { return observers_; }
    [[nodiscard]] const ModuleObservers& of(const std::string& module) const { return observers_.at(module); }
    /// Of a cache with static scales; null otherwise.
    [[nodiscard]] Observer* keys() const { return keys_.get(); }
    [[nodiscard]] Observer* values() const { return values_.get(); }

    /// What run() saw of the projections' inputs; empty where there is no run directory to keep it in. To be taken once.
    [[nodiscard]] BlockSketches take_sketches() { return std::move(sketches_); }

    /// How often run() passes all samples through the block.
    [[nodiscard]] static int passes(const ModulePlans& modules);

private:
    using Clock = std::chrono::steady_clock;
    struct InputStatistics {
        RangeTracker range;
        std::unique_ptr<Observer> counter;

        InputStatistics();
    };

    void observe_weights(const ModulePlans& modules);
    void make_observers(const ModulePlans& modules);
    void watch(const ModulePlans& modules, bool statistics_too);
    void pass_experts(const at::Tensor& inputs, const ModulePlans& modules);
    void tell_meanwhile();
    void tell();
    void judge(const ModulePlans& modules);

    const RunPlan& plan_;
    FloatBlock& block_;
    RunReporter& reporter_;
    std::map<std::string, ModuleObservers> observers_;
    std::unique_ptr<Observer> keys_, values_;
    std::map<std::string, InputStatistics> statistics_;  ///< of every projection
    std::unique_ptr<InputSketches> sketcher_;            ///< while run() is at it
    BlockSketches sketches_;
    Clock::time_point next_telling_;
};

}  // namespace calibench
