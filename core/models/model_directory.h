#pragma once

#include <filesystem>
#include <memory>

#include "core/models/checkpoint.h"
#include "core/models/model_config.h"
#include "core/models/stored_modules.h"

namespace calibench {

/// A Hugging Face model directory whose config.json and safetensors headers were found to fit together.
class ModelDirectory {
public:
    /// Throws InputError with everything that is wrong with the directory, one sentence a line.
    explicit ModelDirectory(const std::filesystem::path& path);

    [[nodiscard]] const ModelConfig& config() const { return *config_; }
    [[nodiscard]] const Checkpoint& checkpoint() const { return *checkpoint_; }
    [[nodiscard]] const StoredModules& modules() const { return *modules_; }

private:
    // Behind pointers, since modules_ refers to the other two and the directory may move.
    std::unique_ptr<const ModelConfig> config_;
    std::unique_ptr<const Checkpoint> checkpoint_;
    std::unique_ptr<const StoredModules> modules_;
};

}  // namespace calibench
