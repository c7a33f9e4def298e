#include "core/calibration/block_calibration.h"

#include <limits>
#include <utility>

#include <ATen/ATen.h>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/base/warm_heap.h"

namespace calibench {

BlockCalibration::BlockCalibration(RunPlan& plan, DecoderBlock& block, BlockRange blocks, const at::Tensor& loss_mask, RunReporter& reporter)
    : plan_(plan),
      block_(block),
      blocks_(blocks),
      reporter_(reporter),
      observation_(plan, block_, reporter),
      output_errors_(plan, block_),
      told_recipe_(plan.config.recipe_yaml) {
    states_.loss_mask = loss_mask;
    outcome_.block = blocks.first;
}

bool BlockCalibration::quantizes(const RunPlan& plan, int64_t block) {
    return plan.kv_cache || !plan.blocks[static_cast<size_t>(block)].empty();
}

double BlockCalibration::work(const RunPlan& plan, BlockRange blocks) {
    const ModulePlans modules = planned_recipe(plan, blocks).modules;
    const double work = (BlockObservation::passes(modules) + 1) * static_cast<double>(plan.samples.num_samples) +
                        BlockAttempt::work_of_searches(modules, plan) + BlockAttempt::work_of_tunings(modules, plan.tunings);
    return work * static_cast<double>(blocks.count);
}

std::vector<NamedTensor> BlockCalibration::run(HiddenStates& hidden) {
    const at::NoGradGuard no_grad;
    const double started = reporter_.elapsed_seconds();
    drop_late_order();
    reporter_.send(BlockStarted{blocks_.first, block_.block().name()});
    reporter_.enter_block(blocks_.first, blocks_.count);
    reporter_.enter_stage("observing");
    BlockRecipe planned = planned_recipe(plan_, blocks_);
    require_projections(planned);
    states_.float_inputs = hidden.reference;
    states_.quantized_inputs = hidden.quantized;
    states_.outputs = observation_.run(hidden.reference, planned.modules);
    if (reporter_.wants_details()) output_errors_.see_float(hidden.reference);

    newest_ = make_attempt(0, std::move(planned));
    states_.same_inputs = hidden.quantized.is_same(hidden.reference);
    hidden = {};
    if (!reporter_.control().expects_orders() && !newest_->wants_float_inputs()) states_.float_inputs.reset();
    BlockAttempt* kept = nullptr;
    while (!kept) {
        hear_orders();
        if (!next_) carry_out(*newest_);
        if (!next_) hold_if_wanted(*newest_);
        if (!next_) {
            kept = &choose();
            hidden.quantized = kept->propagate();
            hear_orders();
        }
        if (next_) {
            kept = nullptr;
            begin_again();
        }
    }
    hidden.reference = states_.outputs;
    outcome_ = kept->outcome();
    outcome_.kept_attempt = kept->number();
    outcome_.attempts = newest_->number() + 1;
    tell_modules(*kept);
    sketches_ = {observation_.take_sketches(), {}, to_scalar_type(plan_.model->config().dtype)};
    if (reporter_.wants_details()) sketches_.output_errors = output_errors_.measure(states_.quantized_inputs);
    for (const OutputErrorMeasured& error : sketches_.output_errors) reporter_.send(error);
    tell_recipe(kept->recipe());
    if (kept->recipe().recipe_yaml != plan_.config.recipe_yaml) follow_recipe(plan_, blocks_, kept->recipe());
    outcome_.seconds = reporter_.elapsed_seconds() - started;
    return kept->stored();
}

std::unique_ptr<BlockAttempt> BlockCalibration::make_attempt(int64_t number, BlockRecipe recipe) {
    for (const auto& [name, module] : recipe.modules) attempted_.insert(name);
    return std::make_unique<BlockAttempt>(BlockAttempt::Place{plan_, block_, observation_, states_, reporter_, blocks_}, number, std::move(recipe));
}

void BlockCalibration::carry_out(BlockAttempt& attempt) {
    try {
        attempt.round_to_nearest();
        hear_orders();
        if (next_) return;
        if (attempt.tunes()) WarmHeap::trim();  // tuning takes the most
        attempt.tune([this] {
            hear_orders();
            return !next_ && !finish_;
        });
        if (!attempt.tunes()) (void)attempt.propagate();
    } catch (const Error& error) {
        if (!best_) throw;
        attempt.give_up();
        warn_and_pause(Warning::Kind::NotFinite, concat("Attempt ", attempt.number() + 1, " is dropped: ", error.what()));
    }
}

void BlockCalibration::hold_if_wanted(const BlockAttempt& attempt) {
    if (finish_ || !attempt.quantizes() || !reporter_.control().holds_at_block_end()) return;
    reporter_.control().hold();
    hear_orders();
}

void BlockCalibration::begin_again() {
    const BlockRecipe& before = newest_->recipe();
    const bool is_new = newest_->has_losses() || newest_->failed();  // one that showed nothing is forgotten
    const bool other_schemes = !same_schemes(before, *next_);
    auto attempt = make_attempt(newest_->number() + (is_new ? 1 : 0), std::move(*next_));
    next_.reset();
    finish_ = false;
    const BlockRecipe& recipe = attempt->recipe();
    reporter_.send(BlockRedone{blocks_.first, attempt->number(), recipe.max_iters(), recipe.rounding_lr(), describe_changes(before, recipe)});
    tell_recipe(recipe);
    reporter_.replan(attempt->work() - newest_->release_work());
    newest_->forget_outputs();
    if (is_new && (!best_ || newest_->is_better_than(*best_))) best_ = std::move(newest_);
    newest_ = std::move(attempt);
    if (!other_schemes) return;
    block_.put_back();
    reporter_.enter_stage("observing");
    observation_.observe_again(states_.float_inputs, newest_->recipe().modules);
}

BlockAttempt& BlockCalibration::choose() {
    if (!best_ || (keep_ == BlockOrder::Keep::Newest && !newest_->failed()) || newest_->is_better_than(*best_)) return *newest_;
    reporter_.replan(-newest_->release_work());
    return *best_;
}

void BlockCalibration::hear_orders() {
    reporter_.checkpoint();
    while (const auto order = reporter_.control().take_order()) obey(*order);
}

void BlockCalibration::obey(const BlockOrder& order) {
    try {
        if (order.action == BlockOrder::Action::Redo) {
            BlockRecipe recipe = changed_recipe(newest_->recipe(), order, plan_, blocks_);
            require_projections(recipe);
            next_ = std::move(recipe);
        } else {
            next_.reset();
            finish_ = true;
        }
        keep_ = order.keep;
    } catch (const Error& error) {
        warn_and_pause(Warning::Kind::General, concat("The order for ", block_.block().name(), " was not obeyed: ", error.what()));
    }
}

void BlockCalibration::warn_and_pause(Warning::Kind kind, const std::string& message) {
    reporter_.send(Warning{block_.block().name(), message, kind});
    reporter_.control().hold();
}

void BlockCalibration::drop_late_order() {
    const auto order = reporter_.control().take_order();
    if (!order || order->action != BlockOrder::Action::Redo) return;
    reporter_.send(Warning{"", "The order to begin a block again came too late, the block was stored already. Let the run pause at the end of each block."});
}

void BlockCalibration::require_projections(const BlockRecipe& recipe) const {
    for (const auto& [name, module] : recipe.modules)
        if (!block_.has(name)) throw RunError(concat(name, " is no projection of ", block_.block().name(), " that can be quantized. Add it to ignore."));
}

/// What other attempts have told of their modules is no longer true.
void BlockCalibration::tell_modules(const BlockAttempt& kept) {
    if (&kept != newest_.get()) kept.tell_modules();
    for (const std::string& name : attempted_)
        if (!kept.recipe().modules.contains(name)) reporter_.send(ModuleQuantized{plan_.block_of.at(name), name, "", std::numeric_limits<double>::infinity()});
}

void BlockCalibration::tell_recipe(const BlockRecipe& recipe) {
    if (std::exchange(told_recipe_, recipe.recipe_yaml) != recipe.recipe_yaml) reporter_.send(RecipeChanged{recipe.recipe_yaml});
}

}  // namespace calibench
