#include "core/calibration/activation_cache.h"

#include <atomic>
#include <map>
#include <mutex>

#include <ATen/ATen.h>

#include "core/base/text.h"
#include "core/kernels/recycled.h"
#include "core/models/memory_map.h"

namespace calibench {
namespace fs = std::filesystem;

struct ActivationCache::State {
    int64_t max_bytes = 0;
    fs::path directory;
    std::atomic<int64_t> in_memory{0}, in_files{0};
    std::mutex mutex;
    std::map<const char*, const ScratchMap*> files;  ///< by their first byte

    [[nodiscard]] bool lies_in_file(const char* begin, const char* end) {
        const std::lock_guard lock(mutex);
        auto found = files.upper_bound(begin);
        if (found == files.begin()) return false;
        --found;
        return end <= found->first + found->second->size();
    }
};

ActivationCache::ActivationCache(int64_t max_bytes, fs::path directory) : state_(std::make_shared<State>()) {
    state_->max_bytes = max_bytes;
    state_->directory = std::move(directory);
}

at::Tensor ActivationCache::make(at::IntArrayRef sizes, const at::TensorOptions& options) const {
    const at::ScalarType type = c10::typeMetaToScalarType(options.dtype());
    const int64_t bytes = c10::multiply_integers(sizes) * static_cast<int64_t>(c10::elementSize(type));
    if (state_->max_bytes > 0 && state_->in_memory + bytes > state_->max_bytes) return make_in_file(sizes, type, static_cast<size_t>(bytes));
    // Among the small things on the heap they would leave holes that the next ones do not fit into.
    const at::Tensor kept = options.device().is_cpu() ? recycled(sizes, options) : at::empty(sizes, options);
    state_->in_memory += bytes;
    return at::from_blob(kept.data_ptr(), sizes, [kept, bytes, state = state_](void*) { state->in_memory -= bytes; }, options);
}

at::Tensor ActivationCache::make_in_file(at::IntArrayRef sizes, at::ScalarType type, size_t bytes) const {
    auto map = std::make_shared<ScratchMap>(state_->directory, bytes);
    const auto forget = [state = state_, map](void* data) {
        const std::lock_guard lock(state->mutex);
        state->files.erase(static_cast<const char*>(data));
        state->in_files -= static_cast<int64_t>(map->size());
    };
    {
        const std::lock_guard lock(state_->mutex);
        state_->files[map->bytes()] = map.get();
    }
    state_->in_files += static_cast<int64_t>(bytes);
    return at::from_blob(map->bytes(), sizes, forget, at::TensorOptions(type));
}

void ActivationCache::set_aside(const at::Tensor& part) const {
    if (!part.defined() || !part.device().is_cpu() || !part.is_contiguous()) return;
    const auto* begin = static_cast<const char*>(part.const_data_ptr());
    const char* end = begin + part.nbytes();
    if (state_->lies_in_file(begin, end)) MemoryMap::drop_pages(begin, end);
}

int64_t ActivationCache::bytes_in_memory() const { return state_->in_memory; }
int64_t ActivationCache::bytes_in_files() const { return state_->in_files; }

}  // namespace calibench
