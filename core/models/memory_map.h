#pragma once

#include <cstdint>
#include <filesystem>

namespace calibench {

/// A whole file, mapped read-only.
class MemoryMap {
public:
    /// Throws InputError when there is no such file or it cannot be opened, RunError when it cannot be mapped.
    explicit MemoryMap(const std::filesystem::path& path);
    ~MemoryMap();
    MemoryMap(const MemoryMap&) = delete;
    MemoryMap& operator=(const MemoryMap&) = delete;

    [[nodiscard]] const char* bytes() const { return bytes_; }  ///< null for an empty file
    [[nodiscard]] uint64_t size() const { return size_; }
    /// Drops the whole pages within a range from this process's memory; they are read again from the file when touched.
    static void drop_pages(const char* begin, const char* end);

private:
    const char* bytes_ = nullptr;
    uint64_t size_ = 0;
};

}  // namespace calibench
