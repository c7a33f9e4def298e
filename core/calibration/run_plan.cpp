#include "core/calibration/run_plan.h"

#include <algorithm>
#include <cctype>
#include <set>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/calibration/linear_store.h"
#include "core/evaluation/compute_options.h"
#include "core/observers/fused_groups.h"

namespace calibench {
namespace {

/// Collects what is wrong, so that a person sees all of it at once.
class Problems {
public:
    void add(std::string sentence) { sentences_.push_back(std::move(sentence)); }
    [[nodiscard]] size_t count() const { return sentences_.size(); }

    /// Runs one check; what it finds wrong becomes a problem.
    template <class Check>
    void collect(Check&& check) {
        try {
            check();
        } catch (const InputError& error) {
            add(error.what());
        }
    }

    void throw_if_any() const {
        if (sentences_.empty()) return;
        std::string message;
        for (const auto& sentence : sentences_) message += (message.empty() ? "" : "\n") + sentence;
        throw InputError(message);
    }

private:
    std::vector<std::string> sentences_;
};

void check_numbers(const RunConfig& config, Problems& problems) {
    if (config.num_samples < 1) problems.add("The number of samples must be at least 1.");
    if (config.seq_len < 2) problems.add("The sequence length must be at least 2 tokens.");
    if (config.batch_size && *config.batch_size < 1) problems.add("The batch size must be at least 1.");
    if (config.iters && *config.iters < 0) problems.add("The number of iterations cannot be negative.");
    if (config.threads < 0) problems.add("The number of threads cannot be negative.");
}

std::string place_and_message(const Diagnostic& diagnostic) {
    return concat("Recipe", diagnostic.line > 0 ? concat(", line ", diagnostic.line) : "", ": ", diagnostic.message);
}

/// Errors become problems; warnings are kept for the run to tell.
void take_diagnostics(const std::vector<Diagnostic>& diagnostics, RunPlan& plan, Problems& problems) {
    for (const auto& diagnostic : diagnostics) {
        if (diagnostic.severity == Diagnostic::Severity::Error) problems.add(place_and_message(diagnostic));
        if (diagnostic.severity == Diagnostic::Severity::Warning) plan.warnings.push_back(place_and_message(diagnostic));
    }
}

void apply_overrides(Recipe& recipe, const RunConfig& config) {
    for (auto& modifier : recipe.modifiers) {
        auto* settings = std::get_if<AutoRoundSettings>(&modifier.settings);
        if (!settings) continue;
        settings->iters = config.iters.value_or(settings->iters);
        settings->batch_size = config.batch_size.value_or(settings->batch_size);
    }
}

AutoRoundOptions tuning_options(const AutoRoundSettings& settings, const RunPlan& plan, DType checkpoint_dtype) {
    AutoRoundOptions options;
    options.iters = settings.iters;
    options.batch_size = std::min(settings.batch_size, plan.samples.num_samples);
    options.lr = settings.lr;
    options.minmax_lr = settings.minmax_lr;
    options.enable_minmax_tuning = settings.enable_minmax_tuning;
    options.enable_quanted_input = settings.enable_quanted_input;
    options.seed = plan.config.seed;
    options.checkpoint_dtype = checkpoint_dtype;
    return options;
}

/// Why a scheme cannot be carried out, or empty.
std::string unsupported(const QuantizationScheme& scheme, CompressionFormat format, bool tuned) {
    if (!scheme.weights) return "a scheme without weights is not exported yet; quantize the weights too";
    if (scheme.output_activations) return "quantized outputs are not exported yet; remove output_activations";
    const auto& weights = *scheme.weights;
    if (weights.dynamic != Dynamic::No) return "weights cannot be quantized dynamically; remove `dynamic`";
    if (format == CompressionFormat::Dense) return "compressed-tensors has no storage format for it";
    if (!tuned) return {};
    if (weights.type != QuantizationType::Int || weights.num_bits < 2 || weights.num_bits > 8)
        return "AutoRoundModifier tunes integers of 2 to 8 bits; use QuantizationModifier, or iters: 0";
    if (weights.strategy != Strategy::Tensor && weights.strategy != Strategy::Channel && weights.strategy != Strategy::Group)
        return "AutoRoundModifier tunes the strategies tensor, channel and group; use QuantizationModifier, or iters: 0";
    return {};
}

void check_observers(const std::string& module, const QuantizationScheme& scheme) {
    if (scheme.weights) (void)make_weight_observer(module, *scheme.weights);
    if (scheme.input_activations && scheme.input_activations->dynamic != Dynamic::Yes) (void)make_input_observer(module, *scheme.input_activations);
}

/// Projections that share a global scale must all be quantized in the same way.
void check_fused_groups(const RunPlan& plan, Problems& problems) {
    for (size_t block = 0; block < plan.blocks.size(); ++block) {
        std::vector<std::string> names;
        for (const auto& module : plan.summary.modules)
            if (module.block == static_cast<int>(block)) names.push_back(module.name);
        std::vector<std::unique_ptr<Observer>> observers;
        std::vector<Observer*> used;
        for (const auto& [name, module] : plan.blocks[block]) {
            observers.push_back(make_weight_observer(name, *module.scheme.weights));
            used.push_back(observers.back().get());
        }
        const size_t before = problems.count();
        problems.collect([&] { (void)fused_weight_observers(names, used); });
        if (problems.count() > before) return;  // the other blocks would only repeat it
    }
}

/// Spreads the resolved recipe over the blocks.
void plan_modules(RunPlan& plan, const ResolvedRecipe& resolved, Problems& problems) {
    std::map<std::string, const ModuleInfo*> info;
    for (const auto& module : plan.summary.modules) {
        info[module.name] = &module;
        if (module.expert >= 0) plan.expert_of[module.name] = module.expert;
    }

    std::vector<std::optional<size_t>> tuning_of(plan.recipe.modifiers.size());
    for (size_t i = 0; i < plan.recipe.modifiers.size(); ++i) {
        const auto& modifier = plan.recipe.modifiers[i];
        if (modifier.kv_cache_scheme) problems.add(concat("Recipe, line ", modifier.line, ": a quantized KV cache is not exported yet; remove kv_cache_scheme."));
        const auto* settings = std::get_if<AutoRoundSettings>(&modifier.settings);
        if (!settings) continue;
        plan.batch_size = settings->batch_size;
        if (settings->iters == 0) continue;
        tuning_of[i] = plan.tunings.size();
        plan.tunings.push_back(tuning_options(*settings, plan, plan.model->config().dtype));
    }

    plan.blocks.resize(static_cast<size_t>(plan.summary.num_blocks));
    std::set<std::string> refused;
    for (const auto& module : resolved.modules) {
        const ModuleInfo& where = *info.at(module.name);
        ModulePlan todo{module.scheme, infer_format(module.scheme), tuning_of[module.modifier], where.expert};
        const bool is_head = where.block < 0 && module.name == "lm_head";
        if (is_head) todo.tuning.reset();  // AutoRound tunes decoder blocks; the head is rounded to nearest
        std::string reason = unsupported(module.scheme, todo.format, todo.tuning.has_value());
        if (where.block < 0 && !is_head) reason = where.class_name + " modules outside the decoder blocks are left as they are; add it to ignore";
        if (is_head && plan.summary.tied_embeddings) reason = "it shares its weight with the embeddings; add lm_head to ignore";
        if (!reason.empty()) {
            // One sentence per group and reason, not one per module.
            if (refused.insert(module.config_group + reason).second)
                problems.add(concat(module.name, " (", module.config_group, ", ", describe(module.scheme), "): ", reason, "."));
            continue;
        }
        problems.collect([&] { check_observers(module.name, module.scheme); });
        if (is_head) plan.head = std::move(todo);
        else plan.blocks[static_cast<size_t>(where.block)].emplace(module.name, std::move(todo));
    }
    if (resolved.modules.empty() && !resolved.has_errors()) problems.add("The recipe quantizes no module of this model. Check its targets and ignore.");
}

/// Readers match routers as if they were Linears (compressed_tensors get_vllm_module_type), so the ignore list names them too.
bool counts_as_linear(const std::string& class_name) {
    const auto gate = class_name.find("Gate");
    const bool is_gate = gate != std::string::npos && (gate + 4 == class_name.size() || !std::islower(static_cast<unsigned char>(class_name[gate + 4])));
    return class_name == "Linear" || is_gate || class_name.find("Router") != std::string::npos || class_name.find("Gating") != std::string::npos;
}

/// Distinct schemes in model order, named as the reference names them.
void plan_quantization_config(RunPlan& plan, const ResolvedRecipe& resolved) {
    std::vector<std::pair<std::string, QuantizationScheme>> groups;
    for (const auto& module : resolved.modules)
        if (std::none_of(groups.begin(), groups.end(), [&](const auto& group) { return group.second == module.scheme; }))
            groups.emplace_back(concat("group_", groups.size()), module.scheme);
    std::vector<std::string> ignored;
    for (const auto& module : plan.summary.modules)
        if (counts_as_linear(module.class_name) && !resolved.find(module.name)) ignored.push_back(module.name);
    plan.quantization_config = quantization_config_json(groups, ignored, {});
}

/// The export at its largest (nothing shrinks) plus the shard being assembled.
void check_disk_space(const RunPlan& plan, Problems& problems) {
    std::error_code error;
    auto directory = std::filesystem::absolute(plan.config.output_dir).parent_path();
    const auto space = std::filesystem::space(directory, error);
    if (error) return;  // not every file system tells
    double needed = 0;
    for (const auto& module : plan.summary.modules) needed += static_cast<double>(module.num_bytes);
    if (static_cast<double>(space.available) < needed)
        problems.add(concat(directory.string(), " has ", format_bytes(double(space.available)), " free, and the export may need ",
                            format_bytes(needed), ". Free some space or choose another output directory."));
}

void open_model(RunPlan& plan, Problems& problems) {
    problems.collect([&] { plan.summary = inspect_model(plan.config.model_dir); });
    if (problems.count()) return;
    if (!plan.summary.quantization_format.empty()) {
        problems.add(concat(plan.config.model_dir.string(), " is quantized already (", plan.summary.quantization_format,
                            "). Start from the original model."));
        return;
    }
    problems.collect([&] {
        const DType dtype = read_model_config(plan.config.model_dir).dtype;
        plan.model = CausalLm::open(plan.config.model_dir, choose_compute(plan.config.device, plan.config.dtype, dtype));
    });
}

void open_dataset(RunPlan& plan) {
    const Tokenizer tokenizer = Tokenizer::open(plan.config.model_dir);
    plan.samples = load_calibration_set(plan.config.dataset, tokenizer, {plan.config.num_samples, plan.config.seq_len, plan.config.seed});
    const int64_t vocab = plan.model->config().vocab_size;
    if (std::any_of(plan.samples.input_ids.begin(), plan.samples.input_ids.end(), [&](int64_t id) { return id < 0 || id >= vocab; }))
        throw InputError(concat(plan.config.dataset.string(), " holds token ids outside the model's vocabulary of ", vocab, "."));
    if (plan.samples.num_samples < plan.config.num_samples)
        plan.warnings.push_back(concat(plan.config.dataset.string(), " gives ", plan.samples.num_samples, " samples of ", plan.config.seq_len,
                                       " tokens, not ", plan.config.num_samples, "."));
    const int64_t longest = plan.model->config().max_position_embeddings;
    if (longest > 0 && plan.config.seq_len > longest)
        plan.warnings.push_back(concat("Samples of ", plan.config.seq_len, " tokens are longer than the ", longest, " the model was trained for."));
}

}  // namespace

int64_t RunPlan::num_quantized_modules() const {
    int64_t count = head ? 1 : 0;
    for (const auto& block : blocks) count += static_cast<int64_t>(block.size());
    return count;
}

int64_t RunPlan::max_iters() const {
    int64_t most = 0;
    for (const auto& tuning : tunings) most = std::max(most, tuning.iters);
    return most;
}

RunPlan prepare_run(const RunConfig& config) {
    RunPlan plan;
    plan.config = config;
    Problems problems;
    check_numbers(config, problems);
    ParsedRecipe parsed = parse_recipe(config.recipe_yaml);
    take_diagnostics(parsed.diagnostics, plan, problems);
    problems.throw_if_any();

    open_model(plan, problems);
    problems.throw_if_any();

    plan.recipe = std::move(*parsed.recipe);
    apply_overrides(plan.recipe, config);
    problems.collect([&] { open_dataset(plan); });
    const ResolvedRecipe resolved = resolve_recipe(plan.recipe, plan.summary);
    take_diagnostics(resolved.diagnostics, plan, problems);
    plan_modules(plan, resolved, problems);
    if (!problems.count()) check_fused_groups(plan, problems);
    if (!config.output_dir.empty()) {
        problems.collect([&] { plan.writer = std::make_unique<CheckpointWriter>(CheckpointWriterOptions{config.model_dir, config.output_dir}); });
        if (plan.writer) check_disk_space(plan, problems);
    }
    problems.throw_if_any();

    plan.batch_size = std::min(config.batch_size.value_or(plan.batch_size), plan.samples.num_samples);
    plan_quantization_config(plan, resolved);
    return plan;
}

}  // namespace calibench
