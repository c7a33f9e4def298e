#include "core/calibration/block_observation.h"

#include <algorithm>
#include <utility>

#include <ATen/ATen.h>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/kernels/cpu/all_finite.h"
#include "core/observers/registry.h"

namespace calibench {
namespace {

/// Ranges on their way are told at most so often, and take at most this share of the time.
constexpr std::chrono::milliseconds telling_interval{100};
constexpr int telling_share = 50;  // a fiftieth

/// Static scales of experts take a pass in which every expert sees every token, as in llm-compressor.
bool observes_experts(const ModulePlans& modules) {
    return std::any_of(modules.begin(), modules.end(), [](const auto& entry) {
        const auto& [name, module] = entry;
        const ModuleObservers observers(name, module);
        return module.expert >= 0 && (observers.wants_inputs() || observers.output);
    });
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

}  // namespace

BlockObservation::InputStatistics::InputStatistics()
    : counter(make_observer("memoryless_minmax", "input", {.strategy = Strategy::Tensor})) {}

BlockObservation::BlockObservation(const RunPlan& plan, FloatBlock& block, RunReporter& reporter)
    : plan_(plan), block_(block), reporter_(reporter) {
    if (!plan.kv_cache || !block.block().key_value_taps()) return;
    keys_ = make_cache_observer(block.block().name() + ".self_attn", "k", *plan.kv_cache);
    values_ = make_cache_observer(block.block().name() + ".self_attn", "v", *plan.kv_cache);
}

int BlockObservation::passes(const ModulePlans& modules) {
    return observes_experts(modules) ? 2 : 1;
}

at::Tensor BlockObservation::run(const at::Tensor& inputs, const ModulePlans& modules) {
    observe_weights(modules);
    make_observers(modules);
    at::Tensor outputs;
    bool finite = true;
    if (!plan_.config.run_dir.empty()) sketcher_ = std::make_unique<InputSketches>(plan_);
    {
        const BlockHooks hooks(block_.block());
        watch(modules, /*statistics_too=*/true);
        if (keys_) {
            KeyValueTaps& taps = *block_.block().key_value_taps();
            taps.key.on_states = [this](const at::Tensor& keys) { keys_->observe(keys); };
            taps.value.on_states = [this](const at::Tensor& values) { values_->observe(values); };
        }
        next_telling_ = Clock::now() + telling_interval;
        outputs = forward_all(block_.block(), inputs, plan_, reporter_, [&](int64_t, const at::Tensor& batch) {
            finite = finite && all_finite(batch);
            tell_meanwhile();
        });
    }
    if (reporter_.wants_details()) tell();
    if (!finite)
        throw RunError(concat(block_.block().name(), ": the unquantized block gives NaN or infinite outputs in ",
                              c10::toString(outputs.scalar_type()), ". Run with --dtype float32."));
    if (observes_experts(modules)) pass_experts(inputs, modules);
    if (sketcher_) sketches_ = std::exchange(sketcher_, nullptr)->finish();
    judge(modules);
    return outputs;
}

void BlockObservation::run_without_samples(const ModulePlans& modules) {
    observe_weights(modules);
    make_observers(modules);
    reporter_.send_warnings();
}

void BlockObservation::observe_again(const at::Tensor& inputs, const ModulePlans& modules) {
    make_observers(modules);
    const auto extra_pass = [&] { reporter_.replan(static_cast<double>(inputs.size(0))); };
    const bool looks = std::any_of(modules.begin(), modules.end(), [&](const auto& entry) {
        const ModuleObservers& observers = of(entry.first);
        return entry.second.expert < 0 && (observers.wants_inputs() || observers.output);
    });
    if (looks) {
        const BlockHooks hooks(block_.block());
        watch(modules, /*statistics_too=*/false);
        extra_pass();
        pass_all(block_.block(), inputs, plan_, reporter_);
    }
    if (observes_experts(modules)) {
        extra_pass();
        pass_experts(inputs, modules);
    }
    judge(modules);
}

void BlockObservation::observe_weights(const ModulePlans& modules) {
    for (const Linear* linear : block_.block().linears()) {
        reporter_.checkpoint();
        const int64_t index = plan_.block_of.at(linear->name);
        if (reporter_.wants_details()) reporter_.send(observe_weight_range(*linear, index));
        else require_finite_weight(*linear);
        if (modules.contains(linear->name)) reporter_.warnings().see_weight(index, linear->name, linear->weight);
    }
}

void BlockObservation::make_observers(const ModulePlans& modules) {
    observers_.clear();
    for (const auto& [name, module] : modules)
        observers_.emplace(std::piecewise_construct, std::forward_as_tuple(name), std::forward_as_tuple(name, module));
}

void BlockObservation::watch(const ModulePlans& modules, bool statistics_too) {
    const auto min_max = std::make_shared<LastMinMax>();
    for (Linear* linear : block_.block().linears()) {
        InputStatistics* watched = statistics_too ? &statistics_[linear->name] : nullptr;
        const auto plan = modules.find(linear->name);
        const ModuleObservers* observers = plan == modules.end() || plan->second.expert >= 0 ? nullptr : &observers_.at(linear->name);
        InputSketches* sketcher = statistics_too ? sketcher_.get() : nullptr;
        linear->on_input = [watched, observers, sketcher, min_max, name = linear->name](const at::Tensor& input) {
            if (watched) {
                if (sketcher) {
                    const auto [min, max] = sketcher->see(name, input);
                    watched->range.observe(input, min, max);
                } else if (input.numel() > 0) {
                    const auto [min, max] = min_max->of(input);
                    watched->range.observe(input, min, max);
                }
                watched->counter->record_observed_tokens(input);
            }
            if (observers) observers->see_input(input);
        };
        if (observers && observers->output) linear->on_output = [observers](const at::Tensor& output) { observers->see_output(output); };
    }
}

void BlockObservation::pass_experts(const at::Tensor& inputs, const ModulePlans& modules) {
    const BlockHooks hooks(block_.block());
    for (const auto& [name, module] : modules) {
        if (module.expert < 0) continue;
        const ModuleObservers& observers = observers_.at(name);
        block_.linear(name).on_input = [&observers, sketcher = sketcher_.get(), name = name](const at::Tensor& input) {
            observers.see_input(input);
            if (sketcher) sketcher->see_all_tokens(name, input);
        };
        block_.linear(name).on_output = [&observers](const at::Tensor& output) { observers.see_output(output); };
    }
    block_.block().send_all_tokens_to_all_experts(true);
    pass_all(block_.block(), inputs, plan_, reporter_);
}

void BlockObservation::tell_meanwhile() {
    if (!reporter_.wants_details()) return;
    const Clock::time_point now = Clock::now();
    if (now < next_telling_) return;
    tell();
    const auto cost = Clock::now() - now;
    next_telling_ = now + std::max<Clock::duration>(telling_interval, telling_share * cost);
}

void BlockObservation::tell() {
    for (const Linear* linear : block_.block().linears()) {
        const InputStatistics& watched = statistics_.at(linear->name);
        const int64_t index = plan_.block_of.at(linear->name);
        if (const auto range = watched.range.range())
            reporter_.send(RangeObserved{index, linear->name, Tap::Input, range->min, range->max, range->p001, range->p999});
        const auto expert = plan_.expert_of.find(linear->name);
        reporter_.send(TokensCounted{index, linear->name, expert == plan_.expert_of.end() ? -1 : expert->second,
                                     watched.counter->num_tokens_seen()});
    }
}

/// What of all this a person should look at.
void BlockObservation::judge(const ModulePlans& modules) {
    RunWarnings& warnings = reporter_.warnings();
    for (const auto& [name, watched] : statistics_) {
        const auto expert = plan_.expert_of.find(name);
        if (expert != plan_.expert_of.end()) warnings.see_tokens(name, expert->second, watched.counter->num_tokens_seen());
        const auto range = watched.range.range();
        if (!range) continue;
        const auto planned = modules.find(name);
        warnings.see_inputs(plan_.block_of.at(name), name, *range, planned != modules.end() && planned->second.scheme.input_activations.has_value());
        if (planned == modules.end() || !of(name).input || !of(name).input->has_statistics()) continue;
        const MinMax observed = of(name).input->statistics();
        ValueRange covered{.min = observed.min.min().item<double>(), .max = observed.max.max().item<double>()};
        if (of(name).input->args().symmetric) {
            covered.max = std::max(-covered.min, covered.max);
            covered.min = -covered.max;
        }
        warnings.see_static_range(plan_.block_of.at(name), name, *range, covered);
    }
    reporter_.send_warnings();
}

}  // namespace calibench
