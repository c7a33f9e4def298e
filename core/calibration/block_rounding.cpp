#include "core/calibration/block_rounding.h"

#include "core/calibration/block_attempt.h"

namespace calibench {

std::vector<NamedTensor> round_block(const RunPlan& plan, DecoderBlock& block, int64_t index, RunReporter& reporter) {
    reporter.send(BlockStarted{index, block.name()});
    reporter.enter_block(index);
    FloatBlock float_block(block);
    BlockRecipe recipe = planned_recipe(plan, {index});
    BlockObservation observation(plan, float_block, reporter);
    observation.run_without_samples(recipe.modules);
    const BlockStates states;
    BlockAttempt attempt({plan, float_block, observation, states, reporter, {index}}, 0, std::move(recipe));
    attempt.round_to_nearest();
    reporter.advance(1);
    return attempt.stored();
}

bool needs_samples(const std::string& module, const ModulePlan& plan) {
    const ModuleObservers observers(module, plan);
    return plan.tuning || observers.needs_inputs() || observers.output;
}

}  // namespace calibench
