#include "core/analysis/model_files.h"

#include <algorithm>

#include <ATen/ATen.h>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/models/module_plan.h"
#include "core/quantization/qparams.h"

namespace calibench {

ModelFiles::ModelFiles(const std::filesystem::path& model_dir)
    : config_(read_model_config(model_dir)), checkpoint_(model_dir), modules_(config_, checkpoint_) {}

ModuleSpec ModelFiles::find(const std::string& module) const {
    for (const ModuleSpec& spec : {embedding_module(config_), head_module(config_), final_norm_module(config_)})
        if (spec.name == module) return spec;
    std::vector<std::string> names;
    for (int64_t block = 0; block < config_.num_hidden_layers; ++block) {
        if (!module.starts_with(block_name(block) + ".")) continue;
        for (ModuleSpec& spec : block_modules(config_, block)) {
            if (spec.name == module) return std::move(spec);
            names.push_back(spec.name);
        }
    }
    const std::string near = closest_match(module, names);
    throw InputError(concat(path(), " has no module ", quoted_name(module), near.empty() ? "." : concat("; did you mean ", near, "?")));
}

ModuleSpec ModelFiles::owner_of(const std::string& module) const {
    ModuleSpec spec = find(module);
    if (spec.is_norm()) throw InputError(concat(module, " has no matrix to quantize. Choose a Linear or an Embedding."));
    const bool is_tied_head = config_.tie_word_embeddings && spec.name == head_module(config_).name;
    return is_tied_head ? embedding_module(config_) : spec;
}

at::Tensor ModelFiles::weight(const std::string& module) const {
    const ModuleSpec spec = owner_of(module);
    const StoredModule stored = modules_.find(spec);
    if (stored.layout == StoredModule::Layout::Missing) throw InputError(concat(path(), " has no tensor ", stored.tensor, "."));
    if (stored.layout == StoredModule::Layout::Compressed)
        throw InputError(concat(path(), ": ", module, " is quantized already. Open the model that it was made from."));
    const at::Tensor whole = checkpoint_.tensor(stored.tensor);
    if (whole.sizes() != at::IntArrayRef(stored.tensor_shape) || !whole.is_floating_point())
        throw InputError(concat(path(), ": ", stored.tensor, " is ", toString(whole.scalar_type()), " of shape ", whole.sizes(),
                                " where config.json asks for a weight of shape ", at::IntArrayRef(stored.tensor_shape), "."));
    if (stored.layout == StoredModule::Layout::Dense) return whole;
    // As a run takes it out of the tensor that holds all experts.
    return whole.select(0, spec.expert).narrow(0, stored.first_row, spec.weight_shape[0]).to(to_scalar_type(config_.dtype));
}

}  // namespace calibench
