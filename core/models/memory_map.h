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

/// Memory that lies in a file without a name: the operating system may write it out, and nothing is left of it when it ends.
class ScratchMap {
public:
    /// `size` bytes on the disk of `directory`. Throws RunError when that is full or cannot be written.
    ScratchMap(const std::filesystem::path& directory, uint64_t size);
    ~ScratchMap();
    ScratchMap(const ScratchMap&) = delete;
    ScratchMap& operator=(const ScratchMap&) = delete;

    [[nodiscard]] char* bytes() const { return bytes_; }  ///< at least one page
    [[nodiscard]] uint64_t size() const { return size_; }

private:
    char* bytes_ = nullptr;
    uint64_t size_ = 0;
};

}  // namespace calibench
