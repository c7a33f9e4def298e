#include "core/models/memory_map.h"

#include <cerrno>
#include <cstring>

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

}  // namespace calibench
