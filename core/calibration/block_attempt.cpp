#include "core/calibration/block_attempt.h"

#include <algorithm>
#include <cmath>
#include <set>

#include <ATen/ATen.h>

#include "core/autoround/block_tuner.h"
#include "core/autoround/opt_rtn.h"
#include "core/autoround/sample_order.h"
#include "core/base/text.h"
#include "core/calibration/linear_store.h"
#include "core/kernels/cpu/squared_error.h"
#include "core/observers/fused_groups.h"
#include "core/quantization/activation_quantizer.h"

namespace calibench {

namespace {

/// Forward, backward and the step of one tuned sample, in forward passes.
constexpr double work_of_tuned_sample = 3;
/// opt_rtn() takes as long for a weight as it takes to pass about so many tokens by it.
constexpr double tokens_of_a_search = 30000;

double work_of(const AutoRoundOptions& options) {
    return work_of_tuned_sample * static_cast<double>(options.iters * options.samples_per_iteration());
}

/// Those that some module is tuned by.
std::set<size_t> tunings_of(const ModulePlans& modules) {
    std::set<size_t> used;
    for (const auto& [name, module] : modules)
        if (module.tuning) used.insert(*module.tuning);
    return used;
}

/// The sum of (exact - approximate)^2 [samples, seq, hidden] over the positions that count, which usually follow one another.
double noise_of(const at::Tensor& exact, const at::Tensor& approximate, const at::Tensor& mask) {
    const at::Tensor kept = mask.to(at::kCPU).flatten(), all[] = {exact.flatten(0, 1), approximate.flatten(0, 1)};
    const bool* counts = kept.const_data_ptr<bool>();
    double noise = 0;
    for (int64_t begin = 0, end = 0; begin < kept.numel(); begin = end) {
        for (end = begin + 1; end < kept.numel() && counts[end] == counts[begin];) ++end;
        if (counts[begin]) noise += squared_error(all[0].slice(0, begin, end), all[1].slice(0, begin, end)).noise;
    }
    return noise;
}

}  // namespace

BlockAttempt::BlockAttempt(const Place& place, int64_t number, BlockRecipe recipe)
    : place_(place), number_(number), recipe_(std::move(recipe)) {
    outcome_.block = place.blocks.first;
    work_left_ = work();
}

double BlockAttempt::work_of_tunings(const ModulePlans& modules, const std::vector<AutoRoundOptions>& tunings) {
    double sum = 0;
    for (const size_t tuning : tunings_of(modules)) sum += work_of(tunings[tuning]);
    return sum;
}

double BlockAttempt::work_of_search(const ModulePlan& module, const RunPlan& plan, size_t num_modules) {
    if (!module.opt_rtn || plan.without_samples()) return 0;
    return tokens_of_a_search / static_cast<double>(plan.samples.seq_len) / static_cast<double>(num_modules);
}

double BlockAttempt::work_of_searches(const ModulePlans& modules, const RunPlan& plan) {
    double sum = 0;
    for (const auto& [name, module] : modules) sum += work_of_search(module, plan, modules.size());
    return sum;
}

double BlockAttempt::work() const {
    return num_samples() + work_of_searches(recipe_.modules, place_.plan) + work_of_tunings(recipe_.modules, recipe_.tunings);
}

bool BlockAttempt::quantizes() const {
    return place_.plan.kv_cache || !recipe_.modules.empty();
}

bool BlockAttempt::wants_float_inputs() const {
    const std::set<size_t> used = tunings_of(recipe_.modules);
    return std::any_of(used.begin(), used.end(), [&](size_t tuning) { return !recipe_.tunings[tuning].enable_quanted_input; });
}

void BlockAttempt::round_to_nearest() {
    place_.block.put_back();
    if (!quantizes()) return;
    for (const auto& [name, module] : recipe_.modules)
        activations_[name] = place_.observation.of(name).activations(source_weight(name).scalar_type());
    quantize_activations();
    quantize_cache();
    store_cache();

    place_.reporter.enter_stage("rounding");
    std::vector<Observer*> weights;
    for (const auto& [name, observers] : place_.observation.modules()) {
        if (!observers.weight) continue;
        place_.reporter.checkpoint();
        observers.weight->observe(source_weight(name).to(place_.block.linear(name).weight.device()));
        weights.push_back(observers.weight.get());
    }
    std::vector<std::string> names;
    for (const auto& [name, linear] : place_.block.linears()) names.push_back(name);
    for (const auto& group : fused_weight_observers(names, weights)) share_global_scale(group);

    for (const auto& [name, module] : recipe_.modules) {
        if (module.tuning) continue;
        place_.reporter.checkpoint();
        const ModuleObservers& observers = place_.observation.of(name);
        if (module.opt_rtn) {
            const at::Tensor weight = source_weight(name);
            const OptimalRounding rounding = opt_rtn(weight.to(place_.block.linear(name).weight.device()), *module.scheme.weights,
                                                     observers.energy->imatrix(), weight.scalar_type());
            store(name, rounding.qparams, rounding.quantized);
            const double work = work_of_search(module, place_.plan, recipe_.modules.size());
            place_.reporter.advance(work);
            work_left_ -= work;
        } else {
            store(name, observers.weight ? observed_qparams(*observers.weight) : QParams{});
        }
    }
}

/// From here on every planned Linear rounds its activations as a reader of the checkpoint will.
void BlockAttempt::quantize_activations() {
    const at::ScalarType compute = place_.plan.model->options().dtype;
    SharedQuantizers inputs;
    for (const auto& [name, module] : recipe_.modules)
        round_activations(place_.block.linear(name), module.scheme, activations_.at(name), compute, inputs);
}

QParams BlockAttempt::cache_qparams(Observer* observer) const {
    return observer ? observed_qparams(*observer, to_scalar_type(place_.plan.model->config().dtype)) : QParams{};
}

void BlockAttempt::quantize_cache() {
    KeyValueTaps* taps = place_.block.block().key_value_taps();
    const auto& args = place_.plan.kv_cache;
    if (!args || !taps) return;
    const at::ScalarType compute = place_.plan.model->options().dtype;
    taps->key.transform = make_activation_quantizer(*args, as_read(cache_qparams(place_.observation.keys()), compute));
    taps->value.transform = make_activation_quantizer(*args, as_read(cache_qparams(place_.observation.values()), compute));
}

void BlockAttempt::store_cache() {
    const auto store = [this](const char* name, Observer* observer) {
        if (!observer) return;
        const QParams qparams = cache_qparams(observer);
        const std::string prefix = concat(place_.block.block().name(), ".self_attn.", name);
        stored_.push_back({prefix + "_scale", qparams.scale});
        if (!place_.plan.kv_cache->symmetric) stored_.push_back({prefix + "_zero_point", qparams.zero_point});
    };
    store("k", place_.observation.keys());
    store("v", place_.observation.values());
}

at::Tensor BlockAttempt::source_weight(const std::string& module) const {
    const Checkpoint& checkpoint = place_.plan.model->checkpoint();
    const std::string tensor = module + ".weight";
    return checkpoint.contains(tensor) ? checkpoint.tensor(tensor)
                                       : place_.block.weight(module).to(to_scalar_type(place_.plan.model->config().dtype), false, /*copy=*/true);
}

void BlockAttempt::store(const std::string& module, const QParams& weight, const at::Tensor& integers) {
    const ModulePlan& plan = recipe_.modules.at(module);
    Linear& linear = place_.block.linear(module);
    ModuleQParams qparams = activations_.at(module);
    qparams.weight = weight;
    StoredLinear stored = store_linear(linear, source_weight(module), plan, qparams, integers);
    stored_.insert(stored_.end(), stored.tensors.begin(), stored.tensors.end());
    if (place_.plan.without_samples()) linear.weight = place_.block.weight(module);  // nothing passes through the block
    else weights_[module] = linear.weight;
    modules_.push_back({place_.plan.block_of.at(module), module, describe(plan.scheme), stored.weight_sqnr_db});
    place_.reporter.send(modules_.back());
}

void BlockAttempt::tell_modules() const {
    for (const ModuleQuantized& module : modules_) place_.reporter.send(module);
}

void BlockAttempt::record_loss(int64_t iteration, double loss_mse, bool best) {
    has_losses_ = true;
    place_.reporter.send(LossRecorded{place_.blocks.first, iteration, loss_mse, best, number_});
}

void BlockAttempt::tune(const std::function<bool()>& go_on) {
    for (const size_t tuning : tunings_of(recipe_.modules)) tune_modules(tuning, go_on);
    place_.reporter.replan(num_samples() - std::exchange(work_left_, num_samples()));  // less to do after an early end
}

void BlockAttempt::tune_modules(size_t tuning, const std::function<bool()>& go_on) {
    AutoRoundOptions options = recipe_.tunings[tuning];
    options.seed = seed_of_block(options.seed, place_.blocks.first);
    RunReporter& reporter = place_.reporter;
    reporter.enter_stage("tuning", options.iters);
    std::map<std::string, QuantizationArgs> schemes;
    for (const auto& [name, module] : recipe_.modules)
        if (module.tuning == tuning) schemes[name] = *module.scheme.weights;

    const at::AutoGradMode grad(true);  // the rest of the walk runs without
    const at::Tensor& inputs = options.enable_quanted_input ? place_.states.quantized_inputs : place_.states.float_inputs;
    const double work_of_iteration = work_of(options) / static_cast<double>(options.iters);
    BlockSamples samples{inputs, place_.states.outputs, {}, place_.states.loss_mask};
    for (const auto& [name, scheme] : schemes) {
        if (const auto& energy = place_.observation.of(name).energy) samples.imatrix[name] = energy->imatrix();
        const auto& rounded = recipe_.modules.at(name).scheme.input_activations;
        if (rounded && has_tunable_range(*rounded)) samples.static_inputs[name] = {*rounded, activations_.at(name).input.scale};
    }
    if (options.enable_lfq && place_.blocks.end() == place_.plan.summary.num_blocks) samples.next_tokens = next_tokens();
    TuningResult result = tune_block(
        place_.block.block(), samples, schemes, options, reporter.control(),
        [&](int64_t iteration, double loss, bool best) {
            record_loss(iteration, loss, best);
            reporter.advance(work_of_iteration, iteration + 1);
            work_left_ -= work_of_iteration;
            for (const at::Tensor& states : {inputs, place_.states.outputs}) place_.plan.activations->set_aside(states);
        },
        go_on);
    outcome_.initial_loss_mse = result.loss_mse.front();
    outcome_.best_loss_mse = result.best_loss_mse;
    outcome_.best_iteration = result.best_iteration;
    for (const auto& [name, factor] : result.input_factors) {
        at::Tensor& scale = activations_.at(name).input.scale;
        scale = (scale.to(at::kFloat) * factor).to(scale.scalar_type());
    }
    if (!result.input_factors.empty()) quantize_activations();
    for (auto& [name, weight] : result.weights) {
        store(name, weight.qparams, weight.quantized);
        weight = {};  // as large as the weight itself, several times
    }

    if (static_cast<int64_t>(result.loss_mse.size()) < options.iters || samples.next_tokens) return;  // a cross-entropy gains little at best
    reporter.warnings().see_tuning({place_.block.block().name(), options.iters, recipe_.rounding_lr(), outcome_.initial_loss_mse,
                                    outcome_.best_loss_mse, outcome_.best_iteration});
    reporter.send_warnings();
}

NextTokens BlockAttempt::next_tokens() const {
    const RunPlan& plan = place_.plan;
    const at::Tensor& mask = place_.states.loss_mask;
    const at::Tensor ids = at::tensor(plan.samples.input_ids).view(mask.sizes()).to(mask.device());
    return {ids.masked_fill(mask.logical_not(), NextTokens::not_a_label), [&model = *plan.model](const at::Tensor& hidden) { return model.logits(hidden); }};
}

void BlockAttempt::put_in() {
    place_.block.put_back();
    for (const auto& [name, weight] : weights_) place_.block.linear(name).weight = weight;
    if (!quantizes()) return;
    quantize_activations();
    quantize_cache();
}

at::Tensor BlockAttempt::propagate() {
    if (outputs_.defined()) return outputs_;
    const BlockStates& states = place_.states;
    if (work_left_ >= num_samples()) work_left_ -= num_samples();
    else place_.reporter.replan(num_samples());
    if (!quantizes() && states.same_inputs) {
        place_.reporter.advance(num_samples());
        output_loss_ = 0;
        return outputs_ = states.outputs;
    }
    put_in();
    place_.reporter.enter_stage("propagating");
    double noise = 0;
    outputs_ = forward_all(place_.block.block(), states.quantized_inputs, place_.plan, place_.reporter,
                           [&](int64_t begin, const at::Tensor& batch) {
                               const auto rows = [&](const at::Tensor& all) { return all.slice(0, begin, begin + batch.size(0)); };
                               const at::Tensor reference = rows(states.outputs);
                               noise += noise_of(reference.to(batch.device()), batch, rows(states.loss_mask));
                               place_.plan.activations->set_aside(reference);
                           });
    const double loss = noise / static_cast<double>(states.loss_mask.sum().item<int64_t>() * outputs_.size(-1));
    if (!std::isfinite(loss)) {
        place_.reporter.warnings().see_outputs_not_finite(place_.block.block().name());
        place_.reporter.send_warnings();
    }
    if (quantizes() && !tunes() && !output_loss_) {
        outcome_.initial_loss_mse = outcome_.best_loss_mse = loss;
        record_loss(0, loss, true);
    }
    output_loss_ = loss;
    return outputs_;
}

double BlockAttempt::output_loss() {
    if (!output_loss_) (void)propagate();
    return *output_loss_;
}

bool BlockAttempt::is_better_than(BlockAttempt& other) {
    if (failed_ || other.failed_) return other.failed_ && !failed_;
    return tunes() && other.tunes() ? outcome_.best_loss_mse < other.outcome_.best_loss_mse : output_loss() < other.output_loss();
}

}  // namespace calibench
