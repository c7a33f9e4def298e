#include "core/models/memory_map.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/text.h"

namespace calibench {

MemoryMap::MemoryMap(const std::filesystem::path& path) {
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);  // a pipe by that name must not hang us
    if (file < 0) throw InputError(concat(path.string(), " cannot be opened: ", std::strerror(errno), "."));
    struct stat status {};
    const bool regular = ::fstat(file, &status) == 0 && S_ISREG(status.st_mode);
    size_ = regular ? static_cast<uint64_t>(status.st_size) : 0;
    void* address = size_ > 0 ? ::mmap(nullptr, size_, PROT_READ, MAP_SHARED, file, 0) : nullptr;
    const int error = errno;
    ::close(file);
    if (!regular) throw InputError(concat(path.string(), " is not a file."));
    if (address == MAP_FAILED) throw RunError(concat(path.string(), " cannot be mapped into memory: ", std::strerror(error), "."));
    bytes_ = static_cast<const char*>(address);
}

MemoryMap::~MemoryMap() {
    if (bytes_ != nullptr) ::munmap(const_cast<char*>(bytes_), size_);
}

void MemoryMap::drop_pages(const char* begin, const char* end) {
    const auto page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
    const uintptr_t first = (reinterpret_cast<uintptr_t>(begin) + page - 1) / page * page;
    const uintptr_t last = reinterpret_cast<uintptr_t>(end) / page * page;
    if (first < last) ::madvise(reinterpret_cast<void*>(first), last - first, MADV_DONTNEED);
}

ScratchMap::ScratchMap(const std::filesystem::path& directory, uint64_t size) : size_(std::max<uint64_t>(size, 1)) {
    std::string name = (directory / ".scratch-XXXXXX").string();
    const int file = ::mkostemp(name.data(), O_CLOEXEC);
    int error = file < 0 ? errno : 0;
    if (file >= 0) {
        ::unlink(name.c_str());
        // A hole in the file would end the process where it is first written to on a full disk.
        error = ::posix_fallocate(file, 0, static_cast<off_t>(size_));
    }
    void* address = error == 0 ? ::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0) : MAP_FAILED;
    if (error == 0 && address == MAP_FAILED) error = errno;
    if (file >= 0) ::close(file);
    if (error == ENOSPC || error == EDQUOT || error == EFBIG)
        throw RunError(concat(directory.string(), ": the disk has no room for ", format_bytes(static_cast<double>(size_)),
                              " of activations. Free some space, choose another directory, or allow more memory."));
    if (error != 0) throw RunError(concat(directory.string(), " cannot hold activations: ", std::strerror(error), "."));
    bytes_ = static_cast<char*>(address);
}

ScratchMap::~ScratchMap() {
    ::munmap(bytes_, size_);
}

}  // namespace calibench
