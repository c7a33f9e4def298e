#include "core/models/model_summary.h"

#include <ATen/ATen.h>

#include "core/models/model_directory.h"

namespace calibench {

using nlohmann::json;

namespace {

int64_t elements(const std::vector<int64_t>& shape) {
    int64_t product = 1;
    for (int64_t dim : shape) product *= dim;
    return product;
}

ModuleInfo describe_module(const ModelDirectory& directory, const ModuleSpec& spec) {
    const Checkpoint& checkpoint = directory.checkpoint();
    const StoredModule stored = directory.modules().find(spec);
    ModuleInfo info;
    info.name = spec.name;
    info.class_name = spec.class_name;
    info.block = spec.block;
    info.expert = spec.expert;
    info.shape = spec.weight_shape;
    info.num_parameters = elements(spec.weight_shape) + (spec.bias ? spec.weight_shape[0] : 0);
    for (const std::string& name : checkpoint.names_under(spec.name)) info.num_bytes += checkpoint.entry(name).num_bytes();
    if (stored.layout == StoredModule::Layout::Compressed) {
        const std::string packed = spec.name + ".weight_packed";
        info.dtype = checkpoint.entry(checkpoint.contains(packed) ? packed : stored.tensor).dtype;
        info.scheme = describe(*stored.scheme);
    } else {
        const SafetensorsFile::Entry& entry = checkpoint.entry(stored.tensor);
        info.dtype = entry.dtype;
        if (stored.layout == StoredModule::Layout::ExpertSlice)
            info.num_bytes += entry.num_bytes() / elements(entry.shape) * elements(spec.weight_shape);
    }
    return info;
}

/// A tied head is a module that recipes can name, but it owns no weight: the embedding counts it.
ModuleInfo describe_tied_head(const ModelDirectory& directory) {
    const ModuleSpec head = head_module(directory.config());
    ModuleInfo info = describe_module(directory, embedding_module(directory.config()));
    info.name = head.name;
    info.class_name = head.class_name;
    info.num_parameters = 0;
    info.num_bytes = 0;
    return info;
}

}  // namespace

ModelSummary inspect_model(const std::filesystem::path& model_dir) {
    const ModelDirectory directory(model_dir);
    const ModelConfig& config = directory.config();
    ModelSummary summary;
    summary.path = model_dir;
    summary.architecture = config.architecture;
    summary.model_type = config.model_type;
    summary.dtype = to_string(config.dtype).substr(std::string("torch.").size());
    summary.num_blocks = config.num_hidden_layers;
    summary.hidden_size = config.hidden_size;
    summary.vocab_size = config.vocab_size;
    summary.num_experts = config.num_experts;
    summary.num_experts_per_tok = config.num_experts_per_tok;
    summary.max_position_embeddings = config.max_position_embeddings;
    summary.tied_embeddings = config.tie_word_embeddings;
    if (config.quantization && config.quantization->format) summary.quantization_format = to_string(*config.quantization->format);

    // Norms are counted but not listed: nothing is ever done to them.
    const auto add = [&](const ModuleInfo& info, bool listed) {
        summary.num_parameters += info.num_parameters;
        summary.num_bytes += info.num_bytes;
        if (listed) summary.modules.push_back(info);
    };
    add(describe_module(directory, embedding_module(config)), true);
    for (int64_t block = 0; block < config.num_hidden_layers; ++block)
        for (const ModuleSpec& spec : block_modules(config, block)) add(describe_module(directory, spec), !spec.is_norm());
    add(describe_module(directory, final_norm_module(config)), false);
    add(config.tie_word_embeddings ? describe_tied_head(directory) : describe_module(directory, head_module(config)), true);
    return summary;
}

json to_json(const ModelSummary& summary) {
    json modules = json::array();
    for (const ModuleInfo& info : summary.modules) {
        json module = {{"name", info.name}, {"class", info.class_name}, {"shape", info.shape}, {"dtype", info.dtype},
                       {"num_parameters", info.num_parameters}, {"num_bytes", info.num_bytes}};
        if (info.block >= 0) module["block"] = info.block;
        if (info.expert >= 0) module["expert"] = info.expert;
        if (!info.scheme.empty()) module["scheme"] = info.scheme;
        modules.push_back(std::move(module));
    }
    json result = {{"path", summary.path.string()}, {"architecture", summary.architecture}, {"model_type", summary.model_type},
                   {"dtype", summary.dtype}, {"num_blocks", summary.num_blocks}, {"hidden_size", summary.hidden_size},
                   {"vocab_size", summary.vocab_size}, {"max_position_embeddings", summary.max_position_embeddings},
                   {"tied_embeddings", summary.tied_embeddings}, {"num_parameters", summary.num_parameters},
                   {"num_bytes", summary.num_bytes}, {"modules", std::move(modules)}};
    if (summary.num_experts > 0) {
        result["num_experts"] = summary.num_experts;
        result["num_experts_per_tok"] = summary.num_experts_per_tok;
    }
    if (!summary.quantization_format.empty()) result["quantization_format"] = summary.quantization_format;
    return result;
}

}  // namespace calibench
