#include "core/calibration/block_calibration.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include <ATen/ATen.h>

#include "core/autoround/block_tuner.h"
#include "core/base/error.h"
#include "core/base/text.h"
#include "core/calibration/input_quantization.h"
#include "core/calibration/linear_store.h"
#include "core/calibration/range_tracker.h"
#include "core/observers/fused_groups.h"
#include "core/observers/registry.h"

namespace calibench {
namespace {

/// Forward, backward and the step of one tuned sample, in forward passes.
constexpr double work_of_tuning = 3;

/// Static inputs, or local ones, whose global scale is static.
bool has_static_inputs(const ModulePlan& module) {
    return module.scheme.input_activations && module.scheme.input_activations->dynamic != Dynamic::Yes;
}

/// "mlp.experts.*.up_proj" of "model.layers.3.mlp.experts.17.up_proj": what experts of one block have in common.
std::string without_expert(const std::string& module) {
    const std::string mark = ".experts.";
    const auto begin = module.find(mark);
    if (begin == std::string::npos) return module;
    const auto end = module.find('.', begin + mark.size());
    return module.substr(0, begin + mark.size()) + "*" + (end == std::string::npos ? "" : module.substr(end));
}

/// Do these modules need a pass of their own over the quantized inputs?
bool observe_quantized_inputs(const ModulePlans& modules) {
    return std::any_of(modules.begin(), modules.end(), [](const auto& entry) {
        const auto& [name, module] = entry;
        return has_static_inputs(module) || (!module.tuning && make_weight_observer(name, *module.scheme.weights)->wants_inputs());
    });
}

std::vector<size_t> tunings_of(const ModulePlans& modules) {
    std::set<size_t> used;
    for (const auto& [name, module] : modules)
        if (module.tuning) used.insert(*module.tuning);
    return {used.begin(), used.end()};
}

/// Lets a function watch Linears' inputs for as long as it lives.
class InputHooks {
public:
    InputHooks() = default;
    InputHooks(const InputHooks&) = delete;
    InputHooks& operator=(const InputHooks&) = delete;
    ~InputHooks() {
        for (Linear* linear : watched_) linear->on_input = nullptr;
    }
    void watch(Linear& linear, std::function<void(const at::Tensor&)> hook) {
        linear.on_input = std::move(hook);
        watched_.push_back(&linear);
    }

private:
    std::vector<Linear*> watched_;
};

/// Projections that vLLM runs as one matrix get one global scale.
void share_global_scales(const std::map<std::string, Linear*>& linears, const std::map<std::string, std::unique_ptr<Observer>>& observers) {
    std::vector<std::string> names;
    for (const auto& [name, linear] : linears) names.push_back(name);
    std::vector<Observer*> used;
    for (const auto& [name, observer] : observers) used.push_back(observer.get());
    for (const auto& group : fused_weight_observers(names, used)) share_global_scale(group);
}

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
        weights_[name] = checkpoint.contains(tensor) ? checkpoint.tensor(tensor) : found->second->weight.clone();
        if (!module.tuning) weight_observers_[name] = make_weight_observer(name, *module.scheme.weights);
    }
}

double BlockCalibration::work(const RunPlan& plan, int64_t index) {
    const ModulePlans& modules = plan.blocks[static_cast<size_t>(index)];
    const auto samples = static_cast<double>(plan.samples.num_samples);
    double work = 2 * samples;
    if (observe_quantized_inputs(modules)) work += samples;
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
    at::Tensor float_inputs = std::exchange(hidden.reference, outputs);
    const auto tunings = tunings_of(modules_);
    const bool tunes_on_float_inputs =
        std::any_of(tunings.begin(), tunings.end(), [&](size_t tuning) { return !plan_.tunings[tuning].enable_quanted_input; });

    if (modules_.empty() && hidden.quantized.is_same(float_inputs)) {
        hidden.quantized = outputs;
        reporter_.advance(static_cast<double>(plan_.samples.num_samples));
    } else {
        if (!tunes_on_float_inputs) float_inputs.reset();  // a whole set of activations: give it back before tuning
        observe_inputs(hidden.quantized);
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

at::Tensor BlockCalibration::run_reference(const at::Tensor& inputs) {
    std::map<std::string, InputStatistics> statistics;
    at::Tensor outputs;
    {
        InputHooks hooks;
        for (Linear* linear : block_.linears()) {
            InputStatistics& watched = statistics[linear->name];
            hooks.watch(*linear, [&watched](const at::Tensor& input) {
                watched.range.observe(input);
                watched.counter->record_observed_tokens(input);
            });
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

/// Static activations, and inputs that weigh a weight's columns, are observed on the inputs of the quantized model, before this block's own weights change, as
/// llm-compressor does; then every planned Linear rounds its inputs.
void BlockCalibration::observe_inputs(const at::Tensor& inputs) {
    Observers observers;
    if (observe_quantized_inputs(modules_)) {
        InputHooks hooks;
        for (const auto& [name, module] : modules_) {
            Observer* input = nullptr;
            if (has_static_inputs(module)) input = (observers[name] = make_input_observer(name, *module.scheme.input_activations)).get();
            Observer* weight = module.tuning ? nullptr : weight_observers_.at(name).get();
            hooks.watch(*linears_.at(name), [input, weight](const at::Tensor& values) {
                if (input) input->observe(values);
                if (weight && weight->wants_inputs()) weight->observe_input(values);
            });
        }
        (void)forward_all(inputs);
    }
    borrow_statistics(observers);
    for (const auto& [name, observer] : observers) {
        QParams& qparams = input_qparams_[name] = observed_qparams(*observer);
        if (qparams.scale.defined()) qparams.scale = qparams.scale.to(weights_.at(name).scalar_type());
    }
    for (const auto& [name, module] : modules_)
        if (module.scheme.input_activations) quantize_inputs(*linears_.at(name), *module.scheme.input_activations, input_qparams_[name]);
}

/// An expert that no token reached takes what the other experts of the block saw.
void BlockCalibration::borrow_statistics(Observers& observers) {
    std::vector<std::string> unseen;
    for (const auto& [name, observer] : observers)
        if (!observer->has_statistics()) unseen.push_back(name);
    for (const auto& name : unseen) {
        for (const auto& [other, observer] : observers)
            if (without_expert(other) == without_expert(name) && std::find(unseen.begin(), unseen.end(), other) == unseen.end())
                observers.at(name)->merge(*observer);
        if (!observers.at(name)->has_statistics())
            throw RunError(concat(name, ": no token reached it, so its static input scale is unknown. Use more samples, or dynamic activations."));
        reporter_.send(Warning{name, "No token reached this expert; its input scale is that of the block's other experts. Use more samples."});
    }
}

void BlockCalibration::store(const std::string& module, const QParams& weight, const at::Tensor& integers) {
    const ModulePlan& plan = modules_.at(module);
    StoredLinear stored = store_linear(*linears_.at(module), weights_.at(module), plan, {weight, input_qparams_[module], {}}, integers);
    stored_.insert(stored_.end(), stored.tensors.begin(), stored.tensors.end());
    reporter_.send(ModuleQuantized{outcome_.block, module, describe(plan.scheme), stored.weight_sqnr_db});
}

void BlockCalibration::round_to_nearest() {
    reporter_.enter_stage("rounding");
    for (const auto& [name, observer] : weight_observers_) {
        reporter_.checkpoint();
        observer->observe(weights_.at(name).to(linears_.at(name)->weight.device()));
    }
    share_global_scales(linears_, weight_observers_);
    for (const auto& [name, observer] : weight_observers_) {
        reporter_.checkpoint();
        store(name, observed_qparams(*observer));
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
    if (!modules_.empty() && tunings_of(modules_).empty()) {
        const double loss = squared_error / static_cast<double>(loss_mask_.sum().item<int64_t>());
        outcome_.initial_loss_mse = outcome_.best_loss_mse = loss;
        reporter_.send(LossRecorded{outcome_.block, 0, loss, true});
    }
    for (const auto& [name, linear] : linears_) linear->transform_input = nullptr;
    return quantized;
}

}  // namespace calibench
