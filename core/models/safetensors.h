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

/// A name out of an untrusted file in quotes, cut to a length that suits a message.
[[nodiscard]] std::string quoted_name(const std::string& name);

}  // namespace calibench
