#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "core/models/safetensors.h"

namespace calibench {

/// All shards of a model directory: model.safetensors, or the shards model.safetensors.index.json names.
class Checkpoint {
public:
    /// Throws InputError; all missing shards are named at once, and so are tensors that the index promises in vain.
    explicit Checkpoint(const std::filesystem::path& model_dir);

    [[nodiscard]] bool contains(const std::string& name) const { return shard_of_.count(name) != 0; }
    [[nodiscard]] const SafetensorsFile::Entry& entry(const std::string& name) const;
    [[nodiscard]] at::Tensor tensor(const std::string& name) const;  ///< throws InputError when missing
    void release(const std::string& name) const;                     ///< see SafetensorsFile::release
    [[nodiscard]] std::vector<std::string> names() const;            ///< sorted
    /// The full names under one module: "MODULE.weight", "MODULE.weight_scale", ...
    [[nodiscard]] std::vector<std::string> names_under(const std::string& module) const;
    [[nodiscard]] const std::filesystem::path& model_dir() const { return model_dir_; }
    [[nodiscard]] const std::vector<SafetensorsFile>& shards() const { return shards_; }

private:
    [[nodiscard]] const SafetensorsFile& shard_of(const std::string& name) const;
    void open_indexed_shards(const std::filesystem::path& index);

    std::filesystem::path model_dir_;
    std::vector<SafetensorsFile> shards_;
    std::map<std::string, size_t> shard_of_;
};

}  // namespace calibench
