#include "core/calibration/run_plan.h"

#include <algorithm>
#include <cctype>
#include <set>

#include "core/autoround/opt_rtn.h"
#include "core/autoround/tunable_weight.h"
#include "core/base/error.h"
#include "core/base/text.h"
#include "core/calibration/block_rounding.h"
#include "core/calibration/tied_embeddings.h"
#include "core/evaluation/compute_options.h"
#include "core/models/module_plan.h"

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
    if (config.max_memory < 0) problems.add("The memory for activations cannot be negative.");
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

/// Whether the module is one for opt_rtn(): AutoRoundModifier's own way without iterations, unless a weight observer is asked for.
bool rounds_by_opt_rtn(const AutoRoundSettings& settings, const QuantizationScheme& scheme) {
    return settings.iters == 0 && !settings.disable_opt_rtn && scheme.weights && has_opt_rtn(*scheme.weights) &&
           scheme.weights->observer.value_or("memoryless_minmax") == "memoryless_minmax";
}

/// SignRoundV2 weighs its start by the inputs, except where 4-bit integers meet 4-bit integers.
bool weighs_start(const QuantizationScheme& scheme) {
    const auto is_int4 = [](const std::optional<QuantizationArgs>& args) { return args && args->type == QuantizationType::Int && args->num_bits == 4; };
    return scheme.weights && starts_from_search(*scheme.weights) && !(is_int4(scheme.weights) && is_int4(scheme.input_activations));
}

/// Where SignRoundV2 expects outliers: weights of fewer than 4 bits, or activations of 4.
bool is_below_4_bits(const Modifier& modifier) {
    return std::any_of(modifier.config_groups.begin(), modifier.config_groups.end(), [](const auto& group) {
        const QuantizationScheme& scheme = group.second;
        return scheme.weights && starts_from_search(*scheme.weights) &&
               (scheme.weights->num_bits < 4 || (scheme.input_activations && scheme.input_activations->num_bits <= 4));
    });
}

/// Spreads the resolved recipe over the blocks.
void plan_modules(RunPlan& plan, const ResolvedRecipe& resolved) {
    std::map<std::string, const ModuleInfo*> info;
    for (const auto& module : plan.summary.modules) {
        info[module.name] = &module;
        if (module.expert >= 0) plan.expert_of[module.name] = module.expert;
        if (module.block >= 0) plan.block_of[module.name] = module.block;
    }

    std::vector<std::optional<size_t>> tuning_index(plan.recipe.modifiers.size());
    for (size_t i = 0; i < plan.recipe.modifiers.size(); ++i) {
        const Modifier& modifier = plan.recipe.modifiers[i];
        if (const auto* settings = std::get_if<AutoRoundSettings>(&modifier.settings)) plan.batch_size = settings->batch_size;
        const auto tuning = tuning_of(modifier, plan);
        if (!tuning) continue;
        tuning_index[i] = plan.tunings.size();
        plan.tunings.push_back(*tuning);
        plan.nblocks = std::min<int64_t>(tuning->nblocks, plan.summary.num_blocks);
    }

    plan.blocks.resize(static_cast<size_t>(plan.summary.num_blocks));
    for (const auto& module : resolved.modules) {
        const ModuleInfo& where = *info.at(module.name);
        ModulePlan todo = plan_module(plan.recipe.modifiers[module.modifier], module, where, tuning_index[module.modifier]);
        if (where.block >= 0) plan.blocks[static_cast<size_t>(where.block)].emplace(module.name, std::move(todo));
        else (where.class_name == "Embedding" ? plan.embedding : plan.head) = std::move(todo);
    }
    plan.kv_cache = resolved.kv_cache_scheme;
    const auto scheme = [](const std::optional<ModulePlan>& module) { return module ? &module->scheme : nullptr; };
    plan.unties_embeddings = plan.summary.tied_embeddings && !embeddings_stay_tied(scheme(plan.embedding), scheme(plan.head));
}

/// Options that are asked for and change nothing.
void warn_of_idle_options(RunPlan& plan) {
    const auto wants = [&](bool AutoRoundKnobs::*option) {
        return std::any_of(plan.tunings.begin(), plan.tunings.end(), [&](const AutoRoundOptions& tuning) { return tuning.*option; });
    };
    const auto any_tuned = [](const ModulePlans& modules, auto&& is_meant) {
        return std::any_of(modules.begin(), modules.end(), [&](const auto& entry) { return entry.second.tuning && is_meant(*entry.second.scheme.weights); });
    };
    const bool searches = std::any_of(plan.blocks.begin(), plan.blocks.end(), [&](const ModulePlans& modules) { return any_tuned(modules, starts_from_search); });
    if (wants(&AutoRoundKnobs::enable_alg_ext) && !searches)
        plan.warnings.push_back("enable_alg_ext changes nothing here: SignRoundV2 is for symmetric integers, NVFP4 and the MX formats in the blocks.");
    if (wants(&AutoRoundKnobs::enable_lfq) && !any_tuned(plan.blocks.back(), [](const QuantizationArgs&) { return true; }))
        plan.warnings.push_back("enable_lfq changes nothing here: nothing in the last block is tuned.");

    const auto may_end_early = [&](const ModulePlan& module) {
        if (!module.tuning) return false;
        const AutoRoundOptions& tuning = plan.tunings[*module.tuning];
        const bool makes_steps = tuning.effort == Effort::Exact || !is_fine(*module.scheme.weights);
        return tuning.dynamic_max_gap > 0 && !tuning.not_use_best_mse && makes_steps;
    };
    const bool may_any = (plan.head && may_end_early(*plan.head)) || std::any_of(plan.blocks.begin(), plan.blocks.end(), [&](const ModulePlans& modules) {
        return std::any_of(modules.begin(), modules.end(), [&](const auto& entry) { return may_end_early(entry.second); });
    });
    const bool is_wanted = std::any_of(plan.tunings.begin(), plan.tunings.end(), [](const AutoRoundOptions& tuning) { return tuning.dynamic_max_gap > 0; });
    if (is_wanted && !may_any)
        plan.warnings.push_back("dynamic_max_gap changes nothing here: not_use_best_mse keeps the last iterate whatever comes, and effort quick makes no steps with integers of 4 bits and more.");
}

/// Readers match routers as if they were Linears (compressed_tensors get_vllm_module_type), so the ignore list names them too.
std::string class_for_readers(const std::string& class_name) {
    const auto gate = class_name.find("Gate");
    const bool is_gate = gate != std::string::npos && (gate + 4 == class_name.size() || !std::islower(static_cast<unsigned char>(class_name[gate + 4])));
    const bool routes = is_gate || class_name.find("Router") != std::string::npos || class_name.find("Gating") != std::string::npos;
    return routes ? "Linear" : class_name;
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

/// Activations that memory has no room for lie with the run, or else beside the export.
std::filesystem::path directory_for_activations(const RunConfig& config) {
    if (!config.run_dir.empty()) return config.run_dir;
    if (config.output_dir.empty()) return std::filesystem::temp_directory_path();
    const auto output = std::filesystem::absolute(config.output_dir / "").lexically_normal();  // "out" or "out/", it ends in a slash
    return output.parent_path().parent_path();
}

std::unique_ptr<CheckpointWriter> make_writer(const RunPlan& plan) {
    constexpr uint64_t header_bytes_per_module = 1 << 10, most_header_bytes = 4 << 20;  // a module becomes some tensors of 130 bytes each
    CheckpointWriterOptions options{plan.config.model_dir, plan.config.output_dir};
    options.header_room = std::min(plan.summary.modules.size() * header_bytes_per_module, most_header_bytes);
    return std::make_unique<CheckpointWriter>(std::move(options));
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

/// A run without a dataset is one that none of its modules misses.
void check_needs_no_samples(const RunPlan& plan, Problems& problems) {
    std::vector<std::string> needy;
    const auto look = [&](const std::string& name, const ModulePlan& module) {
        if (needs_samples(name, module)) needy.push_back(name);
    };
    for (const ModulePlans& block : plan.blocks)
        for (const auto& [name, module] : block) look(name, module);
    if (plan.head) look(head_module(plan.model->config()).name, *plan.head);
    if (!needy.empty())
        problems.add(concat("The recipe tunes or observes what passes through ", list_names(needy), ": choose a calibration text (--dataset)."));
    else if (plan.kv_cache && plan.kv_cache->dynamic != Dynamic::Yes)
        problems.add("The recipe asks for static scales of the key/value cache: choose a calibration text (--dataset).");
}

}  // namespace

int64_t RunPlan::num_quantized_modules() const {
    int64_t count = (head ? 1 : 0) + (embedding ? 1 : 0);
    for (const auto& block : blocks) count += static_cast<int64_t>(block.size());
    return count;
}

std::vector<BlockRange> RunPlan::ranges() const {
    std::vector<BlockRange> ranges;
    for (int64_t first = 0; first < summary.num_blocks; first += nblocks) ranges.push_back({first, std::min(nblocks, summary.num_blocks - first)});
    return ranges;
}

void RunPlan::cut_done_to_ranges() {
    const auto count = static_cast<int64_t>(done.size());
    for (const BlockRange& blocks : ranges())
        if (blocks.contains(count)) done.resize(static_cast<size_t>(blocks.first));
}

int64_t RunPlan::max_iters() const {
    int64_t most = 0;
    for (const auto& tuning : tunings) most = std::max(most, tuning.iters);
    return most;
}

void apply_overrides(Recipe& recipe, const RunConfig& config) {
    for (auto& modifier : recipe.modifiers) {
        auto* settings = std::get_if<AutoRoundSettings>(&modifier.settings);
        if (!settings) continue;
        settings->iters = config.iters.value_or(settings->iters);
        settings->batch_size = config.batch_size.value_or(settings->batch_size);
        if (!config.effort.empty()) settings->effort = effort_from_string(config.effort);
    }
}

std::optional<AutoRoundOptions> tuning_of(const Modifier& modifier, const RunPlan& plan) {
    const auto* settings = std::get_if<AutoRoundSettings>(&modifier.settings);
    if (!settings || settings->iters == 0) return {};
    AutoRoundOptions options;
    options.iters = settings->steps(settings->iters);
    options.batch_size = std::min(settings->batch_size, plan.samples.num_samples);
    options.lr = settings->lr;
    static_cast<AutoRoundKnobs&>(options) = *settings;
    options.leave_out_outliers = options.enable_alg_ext && is_below_4_bits(modifier);
    options.seed = plan.config.seed;
    options.checkpoint_dtype = plan.model->config().dtype;
    return options;
}

ModulePlan plan_module(const Modifier& modifier, const ResolvedModule& module, const ModuleInfo& where, std::optional<size_t> tuning) {
    ModulePlan todo{module.scheme, infer_format(module.scheme), tuning, where.expert};
    if (where.class_name == "Embedding") todo.tuning.reset();  // a table's outputs are its rows: there is nothing to tune them on
    const auto* settings = std::get_if<AutoRoundSettings>(&modifier.settings);
    if (!settings || where.block < 0) return todo;
    todo.opt_rtn = rounds_by_opt_rtn(*settings, module.scheme);
    todo.weighs_inputs = todo.opt_rtn || (tuning && settings->enable_alg_ext && weighs_start(module.scheme));
    return todo;
}

nlohmann::json quantization_config_of(const ResolvedRecipe& resolved, const ModelSummary& model) {
    std::vector<std::pair<std::string, QuantizationScheme>> groups;
    for (const auto& module : resolved.modules)
        if (std::none_of(groups.begin(), groups.end(), [&](const auto& group) { return group.second == module.scheme; }))
            groups.emplace_back(concat("group_", groups.size()), module.scheme);
    std::set<std::string> quantized, classes;
    for (const auto& module : resolved.modules) quantized.insert(module.name);
    for (const auto& module : model.modules)
        if (quantized.contains(module.name)) classes.insert(class_for_readers(module.class_name));
    std::vector<std::string> ignored;
    for (const auto& module : model.modules)  // a class of which nothing is quantized needs no exceptions
        if (classes.contains(class_for_readers(module.class_name)) && !quantized.contains(module.name)) ignored.push_back(module.name);
    return quantization_config_json(groups, ignored, resolved.kv_cache_scheme);
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
    if (!plan.without_samples()) problems.collect([&] { open_dataset(plan); });
    const ResolvedRecipe resolved = resolve_recipe(plan.recipe, plan.summary);
    take_diagnostics(resolved.diagnostics, plan, problems);
    if (!resolved.has_errors()) {
        plan_modules(plan, resolved);
        warn_of_idle_options(plan);
        if (plan.without_samples()) check_needs_no_samples(plan, problems);
        if (plan.nblocks > 1 && plan.kv_cache)
            problems.add("The recipe tunes several blocks together (nblocks), but each block's key/value cache is calibrated by itself: remove nblocks or kv_cache_scheme.");
    }
    if (!config.output_dir.empty()) {
        problems.collect([&] { plan.writer = make_writer(plan); });
        if (plan.writer) check_disk_space(plan, problems);
    }
    problems.throw_if_any();

    plan.batch_size = std::max<int64_t>(1, std::min(config.batch_size.value_or(plan.batch_size), plan.samples.num_samples));
    plan.activations = std::make_unique<ActivationCache>(config.max_memory, directory_for_activations(config));
    plan.quantization_config = quantization_config_of(resolved, plan.summary);
    return plan;
}

}  // namespace calibench
