#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include <ATen/core/Tensor.h>

#include "core/models/checkpoint.h"
#include "core/models/model_config.h"
#include "core/models/stored_modules.h"

namespace calibench {

/// A model directory opened to look at single modules: what does not concern them is not checked.
class ModelFiles {
public:
    /// Throws InputError for a directory that cannot be read.
    explicit ModelFiles(const std::filesystem::path& model_dir);
    ModelFiles(const ModelFiles&) = delete;  // modules_ refers to the other two
    ModelFiles& operator=(const ModelFiles&) = delete;

    [[nodiscard]] const ModelConfig& config() const { return config_; }
    [[nodiscard]] const Checkpoint& checkpoint() const { return checkpoint_; }
    [[nodiscard]] const StoredModules& modules() const { return modules_; }
    [[nodiscard]] std::string path() const { return checkpoint_.model_dir().string(); }

    /// The module that owns the weight of `module`: a tied head's is the embedding. Throws InputError when there is no such module, or
    /// when it has no matrix.
    [[nodiscard]] ModuleSpec owner_of(const std::string& module) const;
    /// [rows, columns] in the dtype it is stored in: a view of the file. Throws InputError when it is compressed, missing or misshapen.
    [[nodiscard]] at::Tensor weight(const std::string& module) const;

private:
    [[nodiscard]] ModuleSpec find(const std::string& module) const;

    ModelConfig config_;
    Checkpoint checkpoint_;
    StoredModules modules_;
};

/// The directory, opened once for all who look into it at the same time: one of thousands of experts takes longer to open than a weight to
/// measure. One that has changed meanwhile is opened again. Any thread; throws as the constructor.
[[nodiscard]] std::shared_ptr<const ModelFiles> open_model_files(const std::filesystem::path& model_dir);

}  // namespace calibench
