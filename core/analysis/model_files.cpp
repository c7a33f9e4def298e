#include "core/analysis/model_files.h"

#include <algorithm>
#include <map>
#include <mutex>

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

namespace {

using Times = std::vector<std::filesystem::file_time_type>;

/// When the files that say what is there were written; the minimum for those that are not there.
Times times_of(const std::filesystem::path& model_dir) {
    Times times;
    for (const char* name : {"config.json", "model.safetensors", "model.safetensors.index.json"}) {
        std::error_code error;
        times.push_back(std::filesystem::last_write_time(model_dir / name, error));
    }
    return times;
}

struct OpenedFiles {
    std::weak_ptr<const ModelFiles> files;
    Times times;
};

}  // namespace

std::shared_ptr<const ModelFiles> open_model_files(const std::filesystem::path& model_dir) {
    static std::mutex mutex;
    static std::map<std::filesystem::path, OpenedFiles> opened;
    std::filesystem::path place = std::filesystem::absolute(model_dir).lexically_normal();
    if (!place.has_filename()) place = place.parent_path();  // "model/" is "model"
    const Times times = times_of(place);
    const std::lock_guard lock(mutex);
    std::erase_if(opened, [](const auto& entry) { return entry.second.files.expired(); });
    OpenedFiles& entry = opened[place];
    std::shared_ptr<const ModelFiles> files = entry.times == times ? entry.files.lock() : nullptr;
    if (!files) {
        files = std::make_shared<const ModelFiles>(model_dir);
        entry = {files, times};
    }
    return files;
}

}  // namespace calibench
