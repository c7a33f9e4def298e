#include "core/models/stored_modules.h"

#include <algorithm>

#include <ATen/ATen.h>

#include "core/base/error.h"
#include "core/base/text.h"

namespace calibench {

StoredModules::StoredModules(const ModelConfig& config, const Checkpoint& checkpoint) : config_(config), checkpoint_(checkpoint) {
    if (!config.quantization) return;
    for (const auto& [group, scheme] : config.quantization->config_groups) {
        for (const std::string& text : scheme.targets) {
            Target target(text);
            if (target.is_pattern()) scheme_of_pattern_.emplace_back(std::move(target), &scheme);
            else scheme_of_name_.emplace(text, &scheme);  // the first of equals stays
        }
    }
    for (const std::string& text : config.quantization->ignore) {
        Target target(text);
        if (target.is_pattern()) ignored_patterns_.push_back(std::move(target));
        else ignored_names_.insert(text);
    }
}

const QuantizationScheme* StoredModules::scheme_of(const ModuleSpec& spec) const {
    const auto matches = [&](const Target& pattern) { return pattern.match(spec.name, spec.class_name) != Target::Match::None; };
    if (ignored_names_.contains(spec.name) || ignored_names_.contains(spec.class_name)) return nullptr;
    if (std::any_of(ignored_patterns_.begin(), ignored_patterns_.end(), matches)) return nullptr;

    // The most specific target decides: the module's name, then a pattern, then its class.
    if (const auto named = scheme_of_name_.find(spec.name); named != scheme_of_name_.end()) return named->second;
    for (const auto& [pattern, scheme] : scheme_of_pattern_)
        if (matches(pattern)) return scheme;
    const auto by_class = scheme_of_name_.find(spec.class_name);
    return by_class == scheme_of_name_.end() ? nullptr : by_class->second;
}

StoredModule StoredModules::find(const ModuleSpec& spec) const {
    StoredModule stored{.tensor = spec.name + ".weight", .tensor_shape = spec.weight_shape, .scheme = scheme_of(spec)};
    if (stored.scheme != nullptr && stored.scheme->weights && checkpoint_.contains(spec.name + ".weight_scale")) {
        stored.layout = StoredModule::Layout::Compressed;
        return stored;
    }
    if (checkpoint_.contains(stored.tensor)) {
        stored.layout = StoredModule::Layout::Dense;
        return stored;
    }
    if (spec.expert < 0) return stored;
    const FusedExpertTensor fused = fused_expert_tensor(config_, spec);
    if (!checkpoint_.contains(fused.name)) return stored;
    stored.layout = StoredModule::Layout::ExpertSlice;
    stored.tensor = fused.name;
    stored.tensor_shape = fused.shape;
    stored.first_row = fused.first_row;
    return stored;
}

CompressionFormat StoredModules::format_of(const QuantizationScheme& scheme) const {
    if (scheme.format) return *scheme.format;
    const auto& whole = config_.quantization->format;
    return whole && *whole != CompressionFormat::MixedPrecision ? *whole : infer_format(scheme);
}

namespace {

/// What is wrong with single tensors, gathered so that each kind becomes one sentence.
struct TensorProblems {
    std::vector<std::string> missing;
    std::vector<std::string> misshapen;
    std::vector<std::string> not_float;

    [[nodiscard]] size_t count() const { return missing.size() + misshapen.size() + not_float.size(); }

    void check(const Checkpoint& checkpoint, const std::string& name, const std::vector<int64_t>& shape) {
        if (!checkpoint.contains(name)) {
            missing.push_back(name);
            return;
        }
        const SafetensorsFile::Entry& entry = checkpoint.entry(name);
        if (entry.shape != shape)
            misshapen.push_back(concat(name, " (", at::IntArrayRef(entry.shape), " instead of ", at::IntArrayRef(shape), ")"));
        if (!entry.is_floating_point()) not_float.push_back(concat(name, " (", entry.dtype, ")"));
    }

    [[nodiscard]] std::vector<std::string> sentences(const std::string& directory, const std::string& architecture) const {
        std::vector<std::string> all;
        const auto add = [&](const std::vector<std::string>& names, const std::string& text) {
            if (!names.empty()) all.push_back(concat(directory, ": ", text, ": ", list_names(names), "."));
        };
        add(missing, concat(missing.size(), missing.size() == 1 ? " tensor" : " tensors", " that ", architecture, " needs ",
                            missing.size() == 1 ? "is" : "are", " missing"));
        add(misshapen, "tensors do not have the shape that config.json asks for");
        add(not_float, "weights are stored as something else than floating-point numbers");
        return all;
    }
};

}  // namespace

std::vector<std::string> StoredModules::problems() const {
    constexpr size_t enough = 1000;  // a config.json that does not belong here would give one problem per tensor
    TensorProblems problems;
    const auto check = [&](const ModuleSpec& spec) {
        const StoredModule stored = find(spec);
        if (stored.layout != StoredModule::Layout::Compressed) problems.check(checkpoint_, stored.tensor, stored.tensor_shape);
        else if (!checkpoint_.contains(stored.tensor) && !checkpoint_.contains(spec.name + ".weight_packed"))
            problems.missing.push_back(spec.name + ".weight_packed");
        if (spec.bias) problems.check(checkpoint_, spec.name + ".bias", {spec.weight_shape[0]});
    };
    check(embedding_module(config_));
    for (int64_t block = 0; block < config_.num_hidden_layers && problems.count() < enough; ++block)
        for (const ModuleSpec& spec : block_modules(config_, block)) check(spec);
    check(final_norm_module(config_));
    if (!config_.tie_word_embeddings) check(head_module(config_));
    return problems.sentences(checkpoint_.model_dir().string(), config_.architecture);
}

}  // namespace calibench
