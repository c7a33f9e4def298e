#include "core/checkpoint/output_file.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/text.h"

namespace calibench {

OutputFile::OutputFile(std::filesystem::path path) : path_(std::move(path)) {
    descriptor_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (descriptor_ < 0) fail(errno);
}

OutputFile::~OutputFile() {
    if (descriptor_ >= 0) ::close(descriptor_);
}

void OutputFile::fail(int error) const {
    if (error == ENOSPC || error == EDQUOT)
        throw RunError(concat(path_.string(), ": the disk is full. Free some space or choose another directory, then run again."));
    throw RunError(concat(path_.string(), " cannot be written: ", std::strerror(error), "."));
}

void OutputFile::write(const void* data, size_t size) {
    const char* bytes = static_cast<const char*>(data);
    while (size > 0) {
        const ssize_t written = ::write(descriptor_, bytes, std::min<size_t>(size, 1u << 30));
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) fail(written < 0 ? errno : ENOSPC);
        bytes += written;
        size -= static_cast<size_t>(written);
        size_ += static_cast<uint64_t>(written);
    }
    // The disk begins while more is computed, so that close() has little to wait for.
    if (constexpr uint64_t enough = 8 << 20; size_ - handed_over_ >= enough) {
        ::sync_file_range(descriptor_, static_cast<off_t>(handed_over_), static_cast<off_t>(size_ - handed_over_), SYNC_FILE_RANGE_WRITE);
        handed_over_ = size_;
    }
}

void OutputFile::overwrite(uint64_t offset, const void* data, size_t size) {
    const char* bytes = static_cast<const char*>(data);
    while (size > 0) {
        const ssize_t written = ::pwrite(descriptor_, bytes, size, static_cast<off_t>(offset));
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) fail(written < 0 ? errno : ENOSPC);
        bytes += written;
        offset += static_cast<uint64_t>(written);
        size -= static_cast<size_t>(written);
    }
}

void OutputFile::append_from(OutputFile& source, uint64_t offset, uint64_t size) {
    std::vector<char> buffer(std::min<uint64_t>(size, 4u << 20));
    while (size > 0) {
        const ssize_t count = ::pread(source.descriptor_, buffer.data(), std::min<uint64_t>(size, buffer.size()), static_cast<off_t>(offset));
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) source.fail(count < 0 ? errno : EIO);
        write(buffer.data(), static_cast<size_t>(count));
        offset += static_cast<uint64_t>(count);
        size -= static_cast<uint64_t>(count);
    }
}

void OutputFile::close() {
    const int descriptor = descriptor_;
    descriptor_ = -1;
    const bool synced = ::fsync(descriptor) == 0 || errno == EINVAL || errno == EROFS;  // pipes and the like cannot be synced
    const int error = synced ? 0 : errno;
    if (::close(descriptor) != 0) fail(errno);
    if (!synced) fail(error);
}

}  // namespace calibench
