#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

namespace calibench {

/// One .safetensors file, memory-mapped read-only. Format: github.com/huggingface/safetensors: uint64 header length, JSON
/// header, data. Everything is checked before a tensor is handed out, so a truncated or hostile file cannot read out of bounds.
class SafetensorsFile {
public:
    struct Entry {
        std::string dtype;  ///< "F32", "BF16", "I32", "F8_E4M3", ...
        std::vector<int64_t> shape;
        size_t begin = 0;   ///< byte offsets into the data section
        size_t end = 0;
    };

    /// Throws InputError naming the file and what is wrong with it.
    explicit SafetensorsFile(const std::filesystem::path& path);
    ~SafetensorsFile();
    SafetensorsFile(SafetensorsFile&&) noexcept;
    SafetensorsFile& operator=(SafetensorsFile&&) noexcept;

    [[nodiscard]] const std::filesystem::path& path() const;
    [[nodiscard]] const std::map<std::string, Entry>& entries() const;
    [[nodiscard]] const std::map<std::string, std::string>& metadata() const;
    [[nodiscard]] bool contains(const std::string& name) const { return entries().count(name) != 0; }
    /// A tensor over the mapping itself, no copy; it keeps the mapping alive. Do not write to it: clone first.
    [[nodiscard]] at::Tensor tensor(const std::string& name) const;

private:
    struct Mapping;
    std::shared_ptr<const Mapping> mapping_;
};

/// All shards of a model directory: model.safetensors, or the shards model.safetensors.index.json names.
class Checkpoint {
public:
    explicit Checkpoint(const std::filesystem::path& model_dir);

    [[nodiscard]] bool contains(const std::string& name) const { return shard_of_.count(name) != 0; }
    [[nodiscard]] const SafetensorsFile::Entry& entry(const std::string& name) const;
    [[nodiscard]] at::Tensor tensor(const std::string& name) const;  ///< throws InputError when missing
    [[nodiscard]] std::vector<std::string> names() const;
    [[nodiscard]] const std::vector<SafetensorsFile>& shards() const { return shards_; }

private:
    std::filesystem::path model_dir_;
    std::vector<SafetensorsFile> shards_;
    std::map<std::string, size_t> shard_of_;
};

}  // namespace calibench
