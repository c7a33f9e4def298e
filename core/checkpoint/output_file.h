#pragma once

#include <cstdint>
#include <filesystem>

namespace calibench {

/// A file being written, whose every failure is one sentence (RunError): a full disk, a lost mount, no permission.
class OutputFile {
public:
    explicit OutputFile(std::filesystem::path path);  ///< creates or truncates
    ~OutputFile();                                    ///< closes; the file stays
    OutputFile(const OutputFile&) = delete;
    OutputFile& operator=(const OutputFile&) = delete;

    void write(const void* data, size_t size);
    /// Bytes that were written before.
    void overwrite(uint64_t offset, const void* data, size_t size);
    /// Appends `size` bytes of `source`, which was written before.
    void append_from(OutputFile& source, uint64_t offset, uint64_t size);
    /// Hands everything to the disk and closes. A file that was not closed this way must not be relied on.
    void close();

    [[nodiscard]] uint64_t size() const { return size_; }
    [[nodiscard]] const std::filesystem::path& path() const { return path_; }

private:
    [[noreturn]] void fail(int error) const;

    std::filesystem::path path_;
    int descriptor_ = -1;
    uint64_t size_ = 0;
    uint64_t handed_over_ = 0;  ///< so much of it is on its way to the disk
};

}  // namespace calibench
