#include "core/recipe/vllm_rules.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "core/base/text.h"
#include "core/recipe/diagnostics.h"

namespace calibench {

namespace {

/// Projections that vLLM loads as one layer, and so under one scheme (packed_modules_mapping of its models).
struct FusedLayer {
    std::string name;
    std::vector<std::string> parts;
};

const std::array<FusedLayer, 4>& fused_layers() {
    static const std::array<FusedLayer, 4> layers = {{
        {"qkv_proj", {"q_proj", "k_proj", "v_proj"}},
        {"gate_up_proj", {"gate_proj", "up_proj"}},
        {"fused_qkv_a_proj", {"q_a_proj", "kv_a_proj_with_mqa"}},
        {"w13", {"w1", "w3"}},
    }};
    return layers;
}

/// Projections whose input columns tensor parallelism divides; all others divide their output rows.
const std::set<std::string> kRowParallel = {"o_proj", "down_proj", "w2"};

struct ModuleName {
    std::string parent;
    std::string leaf;
};

ModuleName split_name(const std::string& name) {
    const size_t dot = name.rfind('.');
    return dot == std::string::npos ? ModuleName{"", name} : ModuleName{name.substr(0, dot), name.substr(dot + 1)};
}

bool same_quantization(const QuantizationScheme& a, const QuantizationScheme& b) {
    return a.weights == b.weights && a.input_activations == b.input_activations && infer_format(a) == infer_format(b);
}

/// One kernel family of vLLM, and the weakest GPU it runs on (compute capability x 10).
struct Kernel {
    std::string name;
    int min_capability = 0;
};

bool is_static(const QuantizationArgs& args) { return args.dynamic == Dynamic::No; }

bool one_of(const QuantizationArgs& args, std::initializer_list<Strategy> strategies) {
    return args.strategy && std::find(strategies.begin(), strategies.end(), *args.strategy) != strategies.end();
}

/// The predicates of CompressedTensorsConfig._get_scheme_from_parts, in its order; empty when none holds.
std::optional<Kernel> find_kernel(const QuantizationScheme& scheme) {
    const QuantizationArgs& weights = *scheme.weights;
    const auto& inputs = scheme.input_activations;
    if (!is_static(weights)) return {};

    if (weights.type == QuantizationType::Float && weights.num_bits == 4) {
        if (!weights.symmetric) return {};
        if (one_of(weights, {Strategy::TensorGroup}) && weights.group_size == 16) return Kernel{"NVFP4", inputs ? 100 : 80};
        if (one_of(weights, {Strategy::Group}) && weights.group_size == 32) return Kernel{"MXFP4", 80};
        return {};
    }
    if (weights.type == QuantizationType::Float && weights.num_bits == 8) {
        if (!weights.symmetric) return {};
        if (one_of(weights, {Strategy::Group}) && weights.group_size == 32 && weights.scale_dtype == DType::UInt8) return Kernel{"MXFP8", 100};
        if (!one_of(weights, {Strategy::Tensor, Strategy::Channel, Strategy::Block})) return {};
        if (!inputs) return Kernel{"FP8 weight-only", 80};
        const bool static_tensor = inputs->symmetric && one_of(*inputs, {Strategy::Tensor});
        if (inputs->type != QuantizationType::Float || (is_static(*inputs) && !static_tensor)) return {};
        return Kernel{"FP8", 89};
    }
    if (weights.type != QuantizationType::Int) return {};

    if (!inputs) {
        const bool zero_points_fit = weights.symmetric || weights.num_bits == 4 || weights.num_bits == 8;
        const bool bits_fit = weights.num_bits >= 2 && weights.num_bits <= 8;
        if (!bits_fit || !zero_points_fit || !one_of(weights, {Strategy::Channel, Strategy::Group})) return {};
        return Kernel{"WNA16", 75};
    }
    const bool per_token = inputs->dynamic == Dynamic::Yes && one_of(*inputs, {Strategy::Token});
    if (weights.num_bits == 4 && weights.symmetric && per_token && one_of(weights, {Strategy::Channel, Strategy::Group}))
        return Kernel{inputs->type == QuantizationType::Float ? "W4AFP8" : "W4A8", inputs->type == QuantizationType::Float ? 90 : 75};
    if (weights.num_bits == 8 && weights.symmetric && inputs->num_bits == 8 && inputs->type == QuantizationType::Int &&
        one_of(weights, {Strategy::Tensor, Strategy::Channel}) && (per_token || (is_static(*inputs) && one_of(*inputs, {Strategy::Tensor}))))
        return Kernel{"W8A8", 75};
    return {};
}

const char* gpu_generation(int capability) {
    if (capability >= 100) return "Blackwell";
    if (capability >= 90) return "Hopper";
    if (capability >= 89) return "Ada or Hopper";
    if (capability >= 80) return "Ampere";
    return "Turing";
}

/// Problems of the same kind in many blocks become one sentence.
class Findings {
public:
    void add(Diagnostic::Severity severity, SourcePosition where, const std::string& before, const std::string& name, const std::string& after) {
        auto& finding = findings_[{where.line, where.column, before, after}];
        finding.severity = severity;
        finding.names.push_back(name);
    }
    void report(Diagnostics& diagnostics) const {
        for (const auto& [key, finding] : findings_) {
            const auto& [line, column, before, after] = key;
            diagnostics.add(finding.severity, {line, column}, concat(before, list_names(finding.names, 2), after));
        }
    }

private:
    struct Finding {
        Diagnostic::Severity severity = Diagnostic::Severity::Error;
        std::vector<std::string> names;
    };
    std::map<std::tuple<int, int, std::string, std::string>, Finding> findings_;
};

class VllmCheck {
public:
    VllmCheck(const Recipe& recipe, const ResolvedRecipe& resolved, const ModelSummary& model, const ServingOptions& options)
        : recipe_(recipe), resolved_(resolved), options_(options) {
        for (const ModuleInfo& module : model.modules)
            if (module.class_name == "Linear") linears_.emplace(module.name, &module);
    }

    std::vector<Diagnostic> run() {
        check_fused_layers();
        check_experts();
        for (const ResolvedModule& module : resolved_.modules) {
            const auto info = linears_.find(module.name);
            if (info == linears_.end() || !module.scheme.weights) continue;
            check_kernel(module);
            check_shards(module, *info->second);
        }
        check_kv_cache();
        Diagnostics diagnostics;
        findings_.report(diagnostics);
        return diagnostics.take();
    }

private:
    [[nodiscard]] SourcePosition place(const ResolvedModule& module) const {
        return recipe_.modifiers[module.modifier].position("config_groups/" + module.config_group);
    }

    void check_fused_layers() {
        for (const auto& [name, info] : linears_) {
            const ModuleName module = split_name(name);
            for (const FusedLayer& fused : fused_layers())
                if (module.leaf == fused.parts.front()) check_fused_layer(module.parent, fused);
        }
    }

    void check_fused_layer(const std::string& parent, const FusedLayer& fused) {
        const ResolvedModule* first = nullptr;
        std::vector<std::string> without, different;
        for (const std::string& part : fused.parts) {
            const std::string name = concat(parent, ".", part);
            if (!linears_.count(name)) return;  // another layout: nothing to fuse
            const ResolvedModule* module = resolved_.find(name);
            if (!module) without.push_back(part);
            else if (!first) first = module;
            else if (!same_quantization(first->scheme, module->scheme)) different.push_back(part);
        }
        if (!first || (without.empty() && different.empty())) return;
        const std::string layer = concat(parent, ".", fused.name);
        const std::string parts = list_names(fused.parts);
        if (!without.empty())
            findings_.add(Diagnostic::Severity::Error, place(*first), concat("vLLM loads ", parts, " as one layer and refuses it when only some are quantized; ", list_names(without), " would not be, in "),
                          layer, ". Quantize all of them or ignore all of them.");
        else
            findings_.add(Diagnostic::Severity::Error, place(*first), concat("vLLM loads ", parts, " as one layer and refuses different schemes for its parts, as in "),
                          layer, ". Give all of them the same scheme.");
    }

    /// The experts of a block are one FusedMoE layer.
    void check_experts() {
        std::map<std::string, std::vector<const ResolvedModule*>> schemes;
        std::map<std::string, size_t> counts;
        for (const auto& [name, info] : linears_) {
            if (info->expert < 0) continue;
            const std::string layer = name.substr(0, name.find(".experts.") + 8);
            ++counts[layer];
            if (const ResolvedModule* module = resolved_.find(name)) schemes[layer].push_back(module);
        }
        for (const auto& [layer, modules] : schemes) {
            const bool uniform = std::all_of(modules.begin(), modules.end(), [&](const ResolvedModule* module) {
                return same_quantization(module->scheme, modules.front()->scheme);
            });
            if (modules.size() != counts[layer] || !uniform)
                findings_.add(Diagnostic::Severity::Error, place(*modules.front()), "vLLM loads all experts of a block as one layer and refuses different schemes among them, as in ",
                              layer, ". Give all projections of all experts the same scheme, or ignore them all.");
        }
    }

    void check_kernel(const ResolvedModule& module) {
        const auto kernel = find_kernel(module.scheme);
        if (!kernel) {
            findings_.add(Diagnostic::Severity::Error, place(module), concat("vLLM has no kernel for ", describe(module.scheme), " (\"No compressed-tensors compatible scheme was found\"), asked for by "),
                          module.name, ". Use a preset scheme, or weights per group or channel.");
            return;
        }
        const auto capability = concat(kernel->min_capability / 10, ".", kernel->min_capability % 10);
        if (announced_.insert(kernel->name).second)
            findings_.add(Diagnostic::Severity::Note, place(module), concat(kernel->name, " as of "), module.name,
                          concat(" needs a GPU of compute capability ", capability, " (", gpu_generation(kernel->min_capability), ") or newer in vLLM."));
    }

    void check_shards(const ResolvedModule& module, const ModuleInfo& info) {
        if (info.shape.size() != 2) return;
        const bool row_parallel = kRowParallel.count(split_name(module.name).leaf) != 0;
        const int64_t divided = row_parallel ? info.shape[1] : info.shape[0];
        const char* what = row_parallel ? " columns" : " rows";
        const int64_t shards = options_.tensor_parallel;
        if (divided % shards != 0) {
            findings_.add(Diagnostic::Severity::Error, place(module), concat("tensor parallelism over ", shards, " GPUs does not divide the ", divided, what, " of "), module.name, ".");
            return;
        }
        const QuantizationArgs& weights = *module.scheme.weights;
        const int64_t held = divided / shards;
        const bool blocks = weights.strategy == Strategy::Block && weights.block_structure;
        if (blocks && held % (*weights.block_structure)[row_parallel ? 1 : 0] != 0)
            findings_.add(Diagnostic::Severity::Error, place(module),
                          concat("blocks of ", (*weights.block_structure)[row_parallel ? 1 : 0], " do not divide the ", held, what,
                                 " that each of ", shards, " GPUs holds of "), module.name, ". Use channel.");
        // Over one GPU, resolve_recipe has said so already.
        if (shards > 1 && row_parallel && weights.group_size.value_or(0) > 0 && held % *weights.group_size != 0)
            findings_.add(Diagnostic::Severity::Error, place(module),
                          concat("group_size ", *weights.group_size, " does not divide the ", held, what, " that each of ", shards, " GPUs holds of "),
                          module.name, ". Use a size that does, or channel.");
    }

    void check_kv_cache() {
        for (const Modifier& modifier : recipe_.modifiers) {
            if (!modifier.kv_cache_scheme) continue;
            const QuantizationArgs& args = *modifier.kv_cache_scheme;
            if (args.type == QuantizationType::Float && args.num_bits == 8 && args.symmetric && one_of(args, {Strategy::Tensor})) continue;
            findings_.add(Diagnostic::Severity::Error, modifier.position("kv_cache_scheme"), "vLLM reads KV cache scales of symmetric 8-bit floats per tensor only, not ",
                          describe(args), ".");
        }
    }

    const Recipe& recipe_;
    const ResolvedRecipe& resolved_;
    const ServingOptions& options_;
    std::map<std::string, const ModuleInfo*> linears_;
    Findings findings_;
    std::set<std::string> announced_;
};

}  // namespace

std::vector<Diagnostic> check_vllm(const Recipe& recipe, const ResolvedRecipe& resolved, const ModelSummary& model, const ServingOptions& options) {
    return VllmCheck(recipe, resolved, model, options).run();
}

}  // namespace calibench
