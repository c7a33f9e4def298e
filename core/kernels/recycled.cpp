#include "core/kernels/recycled.h"

#include <cstdlib>
#include <map>
#include <mutex>
#include <new>
#include <vector>

#if defined(__linux__)
#include <sys/mman.h>
#endif

#include <ATen/ATen.h>

namespace calibench {

namespace {

constexpr size_t huge_page = size_t{2} << 20;

/// Huge pages where the system gives them: the kernels' rows lie far apart, and each would be a page of its own.
void* take_from_system(size_t bytes) {
    void* memory = nullptr;
    if (posix_memalign(&memory, bytes >= huge_page ? huge_page : 64, bytes) != 0) throw std::bad_alloc();
#if defined(__linux__)
    if (bytes >= huge_page) madvise(memory, bytes / huge_page * huge_page, MADV_HUGEPAGE);  // the rest of a last one would be lost
#endif
    return memory;
}

class Pool {
public:
    void open() {
        const std::lock_guard lock(mutex_);
        ++users_;
    }
    void close() {
        const std::lock_guard lock(mutex_);
        if (--users_ > 0) return;
        for (const auto& [bytes, memories] : free_) {
            for (void* memory : memories) std::free(memory);
        }
        free_.clear();
    }
    [[nodiscard]] void* take(size_t bytes) {
        const std::lock_guard lock(mutex_);
        const auto found = free_.find(bytes);
        if (found == free_.end() || found->second.empty()) return take_from_system(bytes);
        void* memory = found->second.back();
        found->second.pop_back();
        return memory;
    }
    void give_back(void* memory, size_t bytes) {
        const std::lock_guard lock(mutex_);
        if (users_ > 0)
            free_[bytes].push_back(memory);
        else
            std::free(memory);
    }

private:
    std::mutex mutex_;
    int users_ = 0;
    std::map<size_t, std::vector<void*>> free_;
};

/// Never destroyed: a tensor may outlive every static.
Pool& pool() {
    static Pool* pool = new Pool;
    return *pool;
}

}  // namespace

RecycledMemory::RecycledMemory() { pool().open(); }
RecycledMemory::~RecycledMemory() { pool().close(); }

at::Tensor recycled(at::IntArrayRef sizes, const at::TensorOptions& options) {
    size_t bytes = options.dtype().itemsize();
    for (const int64_t size : sizes) bytes *= static_cast<size_t>(size);
    if (bytes == 0) return at::empty(sizes, options);
    return at::from_blob(
        pool().take(bytes), sizes, [bytes](void* memory) { pool().give_back(memory, bytes); }, options);
}

}  // namespace calibench
