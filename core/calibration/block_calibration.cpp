#include "core/calibration/block_calibration.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include <ATen/ATen.h>

#include "core/autoround/block_tuner.h"
#include "core/base/error.h"
#include "core/base/text.h"
#include "core/calibration/linear_store.h"
#include "core/calibration/range_tracker.h"
#include "core/observers/fused_groups.h"
#include "core/observers/registry.h"
#include "core/quantization/activation_quantizer.h"

namespace calibench {
namespace {

/// Forward, backward and the step of one tuned sample, in forward passes.
constexpr double work_of_tuning = 3;

/// Static scales of experts take a pass in which every expert sees every token, as in llm-compressor.
bool observes_experts(const ModulePlans& modules) {
    return std::any_of(modules.begin(), modules.end(), [](const auto& entry) {
        const auto& [name, module] = entry;
        const ModuleObservers observers(name, module);
        return module.expert >= 0 && (observers.wants_inputs() || observers.output);
    });
}

std::vector<size_t> tunings_of(const ModulePlans& modules) {
    std::set<size_t> used;
    for (const auto& [name, module] : modules)
        if (module.tuning) used.insert(*module.tuning);
    return {used.begin(), used.end()};
}

/// Whoever watches a block stops watching at the end of the scope.
class BlockHooks {
public:
    explicit BlockHooks(DecoderBlock& block) : block_(block) {}
    BlockHooks(const BlockHooks&) = delete;
    BlockHooks& operator=(const BlockHooks&) = delete;
    ~BlockHooks() {
        for (Linear* linear : block_.linears()) linear->on_input = linear->on_output = nullptr;
        if (KeyValueTaps* taps = block_.key_value_taps()) taps->key.on_states = taps->value.on_states = nullptr;
        block_.send_all_tokens_to_all_experts(false);
    }

private:
    DecoderBlock& block_;
};

/// What passed one Linear's input.
struct InputStatistics {
    RangeTracker range;
    std::unique_ptr<Observer> counter = make_observer("memoryless_minmax", "input", {.strategy = Strategy::Tensor});
};

}  // namespace

BlockCalibration::BlockCalibration(const RunPlan& plan, DecoderBlock& block, int64_t index, const at::Tensor& loss_mask, RunReporter& reporter)
    : plan_(plan), modules_(plan.blocks[static_cast<size_t>(index)]), block_(block), loss_mask_(loss_mask), reporter_(reporter) {
    outcome_.block = index;
    for (Linear* linear : block.linears()) linears_[linear->name] = linear;
    const Checkpoint& checkpoint = plan.model->checkpoint();
    for (const auto& [name, module] : modules_) {
        const auto found = linears_.find(name);
        if (found == linears_.end()) throw RunError(concat(name, " is no projection of ", block.name(), " that can be quantized. Add it to ignore."));
        const std::string tensor = name + ".weight";
        weights_[name] = checkpoint.contains(tensor) ? checkpoint.tensor(tensor)
                                                     : found->second->weight.to(to_scalar_type(plan.model->config().dtype), false, /*copy=*/true);
        observers_.emplace(std::piecewise_construct, std::forward_as_tuple(name), std::forward_as_tuple(name, module));
    }
    if (plan.kv_cache && block.key_value_taps()) {
        key_observer_ = make_cache_observer(block.name() + ".self_attn", "k", *plan.kv_cache);
        value_observer_ = make_cache_observer(block.name() + ".self_attn", "v", *plan.kv_cache);
    }
}

bool BlockCalibration::quantizes(const RunPlan& plan, int64_t index) {
    return plan.kv_cache || !plan.blocks[static_cast<size_t>(index)].empty();
}

double BlockCalibration::work(const RunPlan& plan, int64_t index) {
    const ModulePlans& modules = plan.blocks[static_cast<size_t>(index)];
    const auto samples = static_cast<double>(plan.samples.num_samples);
    double work = (observes_experts(modules) ? 3 : 2) * samples;
    for (const size_t tuning : tunings_of(modules)) {
        const AutoRoundOptions& options = plan.tunings[tuning];
        work += work_of_tuning * static_cast<double>(options.iters * options.batch_size);
    }
    return work;
}

std::vector<NamedTensor> BlockCalibration::run(HiddenStates& hidden) {
    const at::NoGradGuard no_grad;
    const double started = reporter_.elapsed_seconds();
    reporter_.send(BlockStarted{outcome_.block, block_.name()});
    reporter_.enter_block(outcome_.block);
    reporter_.enter_stage("observing");
    observe_weights();
    const at::Tensor outputs = run_reference(hidden.reference);
    if (observes_experts(modules_)) observe_experts(hidden.reference);
    at::Tensor float_inputs = std::exchange(hidden.reference, outputs);
    const auto tunings = tunings_of(modules_);
    const bool tunes_on_float_inputs =
        std::any_of(tunings.begin(), tunings.end(), [&](size_t tuning) { return !plan_.tunings[tuning].enable_quanted_input; });

    if (!quantizes(plan_, outcome_.block) && hidden.quantized.is_same(float_inputs)) {
        hidden.quantized = outputs;
        reporter_.advance(static_cast<double>(plan_.samples.num_samples));
    } else {
        if (!tunes_on_float_inputs) float_inputs.reset();  // a whole set of activations: give it back before tuning
        quantize_activations();
        quantize_cache();
        round_to_nearest();
        for (const size_t tuning : tunings) tune(tuning, plan_.tunings[tuning].enable_quanted_input ? hidden.quantized : float_inputs, outputs);
        hidden.quantized = run_quantized(hidden.quantized, outputs);
    }
    outcome_.seconds = reporter_.elapsed_seconds() - started;
    reporter_.send(outcome_);
    return std::move(stored_);
}

void BlockCalibration::observe_weights() {
    for (const Linear* linear : block_.linears()) {
        reporter_.checkpoint();
        reporter_.send(observe_weight_range(*linear, outcome_.block));
    }
}

at::Tensor BlockCalibration::forward_all(const at::Tensor& inputs, const OnBatch& on_batch) {
    at::Tensor outputs = at::empty_like(inputs);
    const int64_t count = inputs.size(0);
    for (int64_t begin = 0; begin < count; begin += plan_.batch_size) {
        reporter_.checkpoint();
        const int64_t end = std::min(begin + plan_.batch_size, count);
        const at::Tensor batch = block_.forward(inputs.slice(0, begin, end), {});
        outputs.slice(0, begin, end).copy_(batch);
        if (on_batch) on_batch(begin, batch);
        reporter_.advance(static_cast<double>(end - begin));
    }
    return outputs;
}

/// Activations are observed in the float model, as llm-compressor does, which calibrates with quantization switched off.
at::Tensor BlockCalibration::run_reference(const at::Tensor& inputs) {
    std::map<std::string, InputStatistics> statistics;
    at::Tensor outputs;
    {
        const BlockHooks hooks(block_);
        for (Linear* linear : block_.linears()) {
            InputStatistics& watched = statistics[linear->name];
            const auto plan = modules_.find(linear->name);
            const ModuleObservers* observers = plan == modules_.end() || plan->second.expert >= 0 ? nullptr : &observers_.at(linear->name);
            linear->on_input = [&watched, observers](const at::Tensor& input) {
                watched.range.observe(input);
                watched.counter->record_observed_tokens(input);
                if (observers) observers->see_input(input);
            };
            if (observers && observers->output) linear->on_output = [observers](const at::Tensor& output) { observers->see_output(output); };
        }
        if (key_observer_) {
            block_.key_value_taps()->key.on_states = [this](const at::Tensor& keys) { key_observer_->observe(keys); };
            block_.key_value_taps()->value.on_states = [this](const at::Tensor& values) { value_observer_->observe(values); };
        }
        outputs = forward_all(inputs);
    }
    for (const Linear* linear : block_.linears()) {
        const InputStatistics& watched = statistics[linear->name];
        if (const auto range = watched.range.range())
            reporter_.send(RangeObserved{outcome_.block, linear->name, Tap::Input, range->min, range->max, range->p001, range->p999});
        const auto expert = plan_.expert_of.find(linear->name);
        reporter_.send(TokensCounted{outcome_.block, linear->name, expert == plan_.expert_of.end() ? -1 : expert->second,
                                     watched.counter->num_tokens_seen()});
    }
    if (!at::isfinite(outputs).all().item<bool>())
        throw RunError(concat(block_.name(), ": the unquantized block gives NaN or infinite outputs in ", c10::toString(outputs.scalar_type()),
                              ". Run with --dtype float32."));
    return outputs;
}

void BlockCalibration::observe_experts(const at::Tensor& inputs) {
    const BlockHooks hooks(block_);
    for (const auto& [name, module] : modules_) {
        if (module.expert < 0) continue;
        const ModuleObservers& observers = observers_.at(name);
        linears_.at(name)->on_input = [&observers](const at::Tensor& input) { observers.see_input(input); };
        linears_.at(name)->on_output = [&observers](const at::Tensor& output) { observers.see_output(output); };
    }
    block_.send_all_tokens_to_all_experts(true);
    (void)forward_all(inputs);
}

/// From here on every planned Linear rounds its activations as a reader of the checkpoint will.
void BlockCalibration::quantize_activations() {
    const at::ScalarType compute = plan_.model->options().dtype;
    for (const auto& [name, module] : modules_) {
        Linear& linear = *linears_.at(name);
        const ModuleQParams& stored = activations_[name] = observers_.at(name).activations(weights_.at(name).scalar_type());
        if (module.scheme.input_activations)
            linear.transform_input = make_activation_quantizer(*module.scheme.input_activations, as_read(stored.input, compute));
        if (module.scheme.output_activations)
            linear.transform_output = make_activation_quantizer(*module.scheme.output_activations, as_read(stored.output, compute));
    }
}

void BlockCalibration::quantize_cache() {
    KeyValueTaps* taps = block_.key_value_taps();
    if (!plan_.kv_cache || !taps) return;
    const QuantizationArgs& args = *plan_.kv_cache;
    const auto quantize = [&](StateTap& tap, const std::string& name, Observer* observer) {
        QParams qparams;
        if (observer) {
            qparams = observed_qparams(*observer, to_scalar_type(plan_.model->config().dtype));
            const std::string prefix = concat(block_.name(), ".self_attn.", name);
            stored_.push_back({prefix + "_scale", qparams.scale});
            if (!args.symmetric) stored_.push_back({prefix + "_zero_point", qparams.zero_point});
        }
        tap.transform = make_activation_quantizer(args, as_read(qparams, plan_.model->options().dtype));
    };
    quantize(taps->key, "k", key_observer_.get());
    quantize(taps->value, "v", value_observer_.get());
}

void BlockCalibration::store(const std::string& module, const QParams& weight, const at::Tensor& integers) {
    const ModulePlan& plan = modules_.at(module);
    ModuleQParams qparams = activations_[module];
    qparams.weight = weight;
    StoredLinear stored = store_linear(*linears_.at(module), weights_.at(module), plan, qparams, integers);
    stored_.insert(stored_.end(), stored.tensors.begin(), stored.tensors.end());
    reporter_.send(ModuleQuantized{outcome_.block, module, describe(plan.scheme), stored.weight_sqnr_db});
}

void BlockCalibration::round_to_nearest() {
    reporter_.enter_stage("rounding");
    std::vector<Observer*> weights;
    for (const auto& [name, observers] : observers_) {
        if (!observers.weight) continue;
        reporter_.checkpoint();
        observers.weight->observe(weights_.at(name).to(linears_.at(name)->weight.device()));
        weights.push_back(observers.weight.get());
    }
    std::vector<std::string> names;
    for (const auto& [name, linear] : linears_) names.push_back(name);
    for (const auto& group : fused_weight_observers(names, weights)) share_global_scale(group);

    for (const auto& [name, module] : modules_) {
        if (module.tuning) continue;
        reporter_.checkpoint();
        const auto& weight = observers_.at(name).weight;
        store(name, weight ? observed_qparams(*weight) : QParams{});
    }
}

void BlockCalibration::tune(size_t tuning, const at::Tensor& inputs, const at::Tensor& outputs) {
    const AutoRoundOptions& options = plan_.tunings[tuning];
    reporter_.enter_stage("tuning", options.iters);
    std::map<std::string, QuantizationArgs> schemes;
    for (const auto& [name, module] : modules_)
        if (module.tuning == tuning) schemes[name] = *module.scheme.weights;

    const at::AutoGradMode grad(true);  // the rest of the walk runs without
    const double work = work_of_tuning * static_cast<double>(options.batch_size);
    const TuningResult result = tune_block(block_, {inputs, outputs, {}, loss_mask_}, schemes, options, reporter_.control(),
                                           [&](int64_t iteration, double loss, bool best) {
                                               reporter_.send(LossRecorded{outcome_.block, iteration, loss, best});
                                               reporter_.advance(work, iteration + 1);
                                               reporter_.checkpoint();
                                           });
    outcome_.initial_loss_mse = result.loss_mse.front();
    outcome_.best_loss_mse = result.best_loss_mse;
    outcome_.best_iteration = result.best_iteration;
    for (const auto& [name, weight] : result.weights) store(name, weight.qparams, weight.quantized);
}

at::Tensor BlockCalibration::run_quantized(const at::Tensor& inputs, const at::Tensor& outputs) {
    reporter_.enter_stage("propagating");
    double squared_error = 0;
    at::Tensor quantized = forward_all(inputs, [&](int64_t begin, const at::Tensor& batch) {
        const auto rows = [&](const at::Tensor& all) { return all.slice(0, begin, begin + batch.size(0)); };
        const at::Tensor error = batch.to(at::kFloat) - rows(outputs).to(at::kFloat);
        squared_error += at::sum(error.square().mean(-1) * rows(loss_mask_), at::kDouble).item<double>();
    });
    if (quantizes(plan_, outcome_.block) && tunings_of(modules_).empty()) {
        const double loss = squared_error / static_cast<double>(loss_mask_.sum().item<int64_t>());
        outcome_.initial_loss_mse = outcome_.best_loss_mse = loss;
        reporter_.send(LossRecorded{outcome_.block, 0, loss, true});
    }
    for (const auto& [name, linear] : linears_) linear->transform_input = linear->transform_output = nullptr;
    if (KeyValueTaps* taps = block_.key_value_taps()) taps->key.transform = taps->value.transform = nullptr;
    return quantized;
}

}  // namespace calibench
