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
/// Like the reference, it accepts no gaps between tensors, no overlaps and nothing after the last one.
class SafetensorsFile {
public:
    struct Entry {
        std::string dtype;  ///< "F32", "BF16", "I32", "F8_E4M3", ...
        std::vector<int64_t> shape;
        size_t begin = 0;   ///< byte offsets into the data section
        size_t end = 0;

        [[nodiscard]] int64_t num_bytes() const { return static_cast<int64_t>(end - begin); }
        [[nodiscard]] int64_t num_elements() const;
        [[nodiscard]] bool is_floating_point() const;
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
    /// A tensor over the mapping itself, no copy (unless misaligned or bool); it keeps the mapping alive. The pages are
    /// read-only: clone before writing. Throws InputError when there is no such tensor.
    [[nodiscard]] at::Tensor tensor(const std::string& name) const;
    /// Drops a tensor's pages from this process's memory; they are read again from the file when touched.
    void release(const std::string& name) const;

private:
    struct Mapping;
    std::shared_ptr<const Mapping> mapping_;
};

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
