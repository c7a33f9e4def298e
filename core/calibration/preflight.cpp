#include "core/calibration/preflight.h"

#include <algorithm>
#include <chrono>
#include <map>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include "core/autoround/block_tuner.h"
#include "core/base/error.h"
#include "core/calibration/tied_embeddings.h"
#include "core/calibration/rounding_cost.h"
#include "core/calibration/run_plan.h"
#include "core/checkpoint/compressed_size.h"
#include "core/evaluation/compute_options.h"
#include "core/models/model_config.h"
#include "core/quantization/qparams.h"
#include "core/recipe/recipe_report.h"

namespace calibench {

namespace {

/// LibTorch's own code and tables, once loaded and used.
constexpr int64_t kLibraryBytes = 250LL << 20;
/// Matrix products are this share of a run's time, as measured on small models; the rest is memory traffic.
constexpr double kShareOfMatrixProducts = 0.4;

struct BlockSize {
    int64_t weights = 0;            ///< of all its Linears
    double active_weights = 0;      ///< those one token meets: of experts only the chosen ones
    int64_t quantized_weights = 0;
    int64_t tuned_weights = 0;
    int64_t widest_intermediate = 0;
    double most_step_bytes = 0;     ///< of the Linear whose step needs most beside its parameters
};

/// Weights that AutoRound rounds in one way.
struct RoundingLoad {
    RoundingCost cost;
    double iters = 0;
    double weights = 0;
};

class Preflight {
public:
    Preflight(const RunConfig& config, const ServingOptions& serving)
        : config_(config), serving_(serving), model_(inspect_model(config.model_dir)) {
        const ModelConfig architecture = read_model_config(config.model_dir);
        dtype_ = architecture.dtype;
        num_key_value_heads_ = architecture.num_key_value_heads;
        compute_ = choose_compute(config.device, config.dtype, dtype_);
    }

    PreflightReport run() {
        ParsedRecipe parsed = parse_recipe(config_.recipe_yaml);
        report_.diagnostics = std::move(parsed.diagnostics);
        report_.source_bytes = model_.num_bytes;
        if (!parsed.recipe) return std::move(report_);
        recipe_ = std::move(*parsed.recipe);
        apply_overrides(recipe_, config_);
        resolved_ = resolve_recipe(recipe_, model_);
        add(resolved_.diagnostics);
        report_.serving = check_vllm(recipe_, resolved_, model_, serving_);
        add(report_.serving);
        if (!model_.quantization_format.empty())
            add({{Diagnostic::Severity::Error, "the model is quantized already (" + model_.quantization_format + "). Start from the original model.", 0, 0}});
        report_.num_quantized = resolved_.modules.size();
        if (!resolved_.has_errors()) {
            estimate_size();
            try {
                measure_blocks();
                measure_head();
            } catch (const InputError& error) {  // a scheme that cannot be tuned
                add({{Diagnostic::Severity::Error, error.what(), 0, 0}});
            }
            estimate_memory();
            estimate_time();
        }
        return std::move(report_);
    }

private:
    void add(const std::vector<Diagnostic>& diagnostics) {
        report_.diagnostics.insert(report_.diagnostics.end(), diagnostics.begin(), diagnostics.end());
    }

    void estimate_size() {
        const auto number_bytes = static_cast<int64_t>(c10::elementSize(to_scalar_type(dtype_)));
        report_.compressed_bytes = model_.num_bytes;
        int64_t stored = 0, weights = 0;
        const QuantizationScheme* embedding = nullptr;
        for (const ModuleInfo& module : model_.modules) {
            if (module.shape.size() != 2) continue;
            const ResolvedModule* found = resolved_.find(module.name);
            const QuantizationScheme* scheme = found ? &found->scheme : nullptr;
            if (module.class_name == "Embedding") embedding = scheme;
            const int64_t size = module.shape[0] * module.shape[1];
            const bool is_tied_head = module.num_bytes == 0;  // the source's bytes are the embedding's
            if (is_tied_head && embeddings_stay_tied(embedding, scheme)) continue;
            if (is_tied_head) report_.compressed_bytes += size * number_bytes;
            if (!scheme) continue;
            const int64_t bytes = compressed_bytes(*scheme, infer_format(*scheme), module.shape[0], module.shape[1], number_bytes);
            report_.compressed_bytes += bytes - size * number_bytes;
            stored += bytes;
            weights += size;
        }
        if (resolved_.kv_cache_scheme)
            report_.compressed_bytes += model_.num_blocks * cache_scale_bytes(*resolved_.kv_cache_scheme, num_key_value_heads_, number_bytes);
        if (weights > 0) report_.bits_per_quantized_weight = 8.0 * static_cast<double>(stored) / static_cast<double>(weights);
    }

    [[nodiscard]] const AutoRoundSettings* settings_of(const ResolvedModule& module) const {
        return std::get_if<AutoRoundSettings>(&recipe_.modifiers[module.modifier].settings);
    }

    /// What rounding `module` costs; measured once for all modules of its kind.
    RoundingCost add_rounding(const ResolvedModule& module, const ModuleInfo& where, const AutoRoundSettings& settings) {
        const QuantizationArgs& weights = *module.scheme.weights;
        RoundingLoad& load = roundings_[{module.modifier, describe(weights)}];
        if (load.weights == 0) {
            AutoRoundOptions options;
            static_cast<AutoRoundKnobs&>(options) = settings;
            options.iters = steps_of(settings, weights);
            load.iters = static_cast<double>(options.iters);
            load.cost = measure_rounding(module.name, weights, options, compute_);
        }
        load.weights += static_cast<double>(where.shape[0] * where.shape[1]);
        return load.cost;
    }

    void measure_blocks() {
        for (const ModuleInfo& module : model_.modules) {
            if (module.class_name != "Linear" || module.block < 0 || module.shape.size() != 2) continue;
            BlockSize& block = blocks_[module.block];
            const int64_t size = module.shape[0] * module.shape[1];
            const double share = module.expert < 0 ? 1.0 : static_cast<double>(model_.num_experts_per_tok) / static_cast<double>(model_.num_experts);
            block.weights += size;
            block.active_weights += share * static_cast<double>(size);
            block.widest_intermediate = std::max(block.widest_intermediate, module.shape[0]);
            const ResolvedModule* quantized = resolved_.find(module.name);
            if (!quantized) continue;
            block.quantized_weights += size;
            const AutoRoundSettings* settings = settings_of(*quantized);
            const ModulePlan plan = plan_module(recipe_.modifiers[quantized->modifier], *quantized, module, {});
            if (!settings || !quantized->scheme.weights || (settings->iters == 0 && !plan.opt_rtn)) continue;
            const RoundingCost cost = add_rounding(*quantized, module, *settings);
            if (settings->iters == 0) continue;
            take_budget(*settings, *quantized->scheme.weights);
            block.tuned_weights += size;
            block.most_step_bytes = std::max(block.most_step_bytes, cost.step_bytes * static_cast<double>(size));
        }
    }

    [[nodiscard]] static int64_t steps_of(const AutoRoundSettings& settings, const QuantizationArgs& weights) {
        return settings.effort == Effort::Quick && is_fine(weights) ? 1 : settings.steps(settings.iters);
    }

    void take_budget(const AutoRoundSettings& settings, const QuantizationArgs& weights) {
        iters_ = std::max(iters_, steps_of(settings, weights));
        batch_size_ = std::min(settings.batch_size, config_.num_samples);
        batches_ = settings.gradient_accumulate_steps;
        nblocks_ = settings.nblocks;
        keeps_velocities_ = settings.momentum > 0;
    }

    /// Of a head that is tuned, 0 otherwise.
    void measure_head() {
        for (const ModuleInfo& module : model_.modules) {
            const ResolvedModule* quantized = resolved_.find(module.name);
            if (!quantized || module.class_name != "Linear" || module.block >= 0) continue;
            const AutoRoundSettings* settings = settings_of(*quantized);
            if (!settings || settings->iters == 0 || !quantized->scheme.weights) continue;
            (void)add_rounding(*quantized, module, *settings);
            take_budget(*settings, *quantized->scheme.weights);
            head_weights_ = module.shape[0] * module.shape[1];
        }
    }

    /// Of each tuned weight: V, its best, and what accumulates, in float32; the rounded weight with its gradient in the compute dtype.
    [[nodiscard]] int64_t bytes_of_tuning(int64_t batches) const {
        const auto number_bytes = static_cast<int64_t>(c10::elementSize(compute_.dtype));
        return 2 * 4 + 2 * number_bytes + (batches > 1 ? 4 : 0) + (keeps_velocities_ ? 4 : 0);
    }

    void estimate_memory() {
        const auto number_bytes = static_cast<int64_t>(c10::elementSize(compute_.dtype));
        const int64_t hidden_states = config_.num_samples * config_.seq_len * model_.hidden_size * number_bytes;
        int64_t largest = 0, together = 0;
        for (const auto& [index, block] : blocks_) {
            const int64_t tuning = block.tuned_weights * bytes_of_tuning(batches_) + static_cast<int64_t>(block.most_step_bytes);
            // Autograd keeps about ten hidden-sized and four intermediate-sized tensors of a batch.
            const int64_t activations = batch_size_ * config_.seq_len * (10 * model_.hidden_size + 4 * block.widest_intermediate) * number_bytes;
            // What a reader will see stands beside the weights it comes from.
            const int64_t rounded = (block.quantized_weights - block.tuned_weights) * number_bytes;
            if (index % nblocks_ == 0) together = 0;  // all of those tuned together stay in memory
            together += block.weights * number_bytes + rounded + tuning + activations;
            largest = std::max(largest, together);
        }
        if (head_weights_ > 0) largest = std::max(largest, head_weights_ * (number_bytes + bytes_of_tuning(2)));
        int64_t cached = 4 * hidden_states;  // X, Xq, Y, and what comes of Xq
        if (config_.max_memory > 0) cached = std::min(cached, config_.max_memory);
        report_.peak_memory_bytes = kLibraryBytes + largest + cached;
    }

    /// Two forward passes of all samples, three passes per tuned sample, and what the weights themselves cost. The head's own passes
    /// are four: its outputs are not kept.
    void estimate_time() {
        const double tokens = static_cast<double>(config_.num_samples) * static_cast<double>(config_.seq_len);
        const double tuned_tokens = static_cast<double>(iters_ * batches_ * batch_size_ * config_.seq_len);
        double operations = 0;
        for (const auto& [index, block] : blocks_)
            operations += 2 * block.active_weights * (2 * tokens + (block.tuned_weights > 0 ? 3 * tuned_tokens : 0));
        operations += 2 * static_cast<double>(head_weights_) * 4 * tuned_tokens;
        report_.run_seconds = operations / operations_per_second() / kShareOfMatrixProducts;
        for (const auto& [kind, load] : roundings_)
            report_.run_seconds += load.weights * (load.cost.start_seconds + load.iters * load.cost.step_seconds);
    }

    /// Of a matrix product of this model's shape, on this machine.
    [[nodiscard]] double operations_per_second() const {
        const int64_t rows = std::clamp<int64_t>(batch_size_ * config_.seq_len, 64, 1024);
        const int64_t hidden = std::clamp<int64_t>(model_.hidden_size, 64, 4096);
        const auto options = at::device(compute_.device).dtype(compute_.dtype);
        const at::Tensor x = at::ones({rows, hidden}, options), w = at::ones({hidden, hidden}, options);
        (void)at::mm(x, w).sum().item<double>();  // the first call prepares the kernel
        const auto start = std::chrono::steady_clock::now();
        double seconds = 0;
        int products = 0;
        while (seconds < 0.05) {
            (void)at::mm(x, w)[0][0].item<double>();
            ++products;
            seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
        }
        return 2.0 * static_cast<double>(rows * hidden * hidden) * products / seconds;
    }

    const RunConfig& config_;
    const ServingOptions& serving_;
    ModelSummary model_;
    DType dtype_ = DType::Float32;
    int64_t num_key_value_heads_ = 0;
    ComputeOptions compute_;
    Recipe recipe_;
    ResolvedRecipe resolved_;
    std::map<int, BlockSize> blocks_;
    int64_t iters_ = 0;
    int64_t batch_size_ = 8;
    int64_t batches_ = 1;  ///< of one iteration
    int64_t nblocks_ = 1;
    bool keeps_velocities_ = false;
    int64_t head_weights_ = 0;  ///< of a head that is tuned
    std::map<std::pair<size_t, std::string>, RoundingLoad> roundings_;  ///< by modifier and kind of weight
    PreflightReport report_;
};

}  // namespace

bool PreflightReport::ok() const {
    return std::none_of(diagnostics.begin(), diagnostics.end(), [](const Diagnostic& d) { return d.severity == Diagnostic::Severity::Error; });
}

PreflightReport check_before_run(const RunConfig& config, const ServingOptions& serving) {
    if (serving.tensor_parallel < 1) throw InputError("Tensor parallelism needs at least one GPU.");
    if (config.threads > 0) at::set_num_threads(config.threads);
    return Preflight(config, serving).run();
}

nlohmann::json to_json(const PreflightReport& report) {
    nlohmann::json diagnostics = nlohmann::json::array();
    for (const Diagnostic& diagnostic : report.diagnostics) diagnostics.push_back(to_json(diagnostic));
    return {{"ok", report.ok()},
            {"diagnostics", diagnostics},
            {"num_quantized_modules", report.num_quantized},
            {"source_bytes", report.source_bytes},
            {"compressed_bytes", report.compressed_bytes},
            {"bits_per_quantized_weight", report.bits_per_quantized_weight},
            {"estimated_peak_memory_bytes", report.peak_memory_bytes},
            {"estimated_run_seconds", report.run_seconds}};
}

}  // namespace calibench
