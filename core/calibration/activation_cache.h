#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>

#include <ATen/core/Tensor.h>

namespace calibench {

/// Gives the hidden states of all samples a place: in memory as long as they fit, in mapped files beyond. A file has no name, so
/// that nothing is left of it however the run ends; its numbers are those that memory would hold.
class ActivationCache {
public:
    /// `max_bytes` in memory at a time; 0: all that come. `directory` is for the files.
    ActivationCache(int64_t max_bytes, std::filesystem::path directory);

    /// Not filled. Its place is free again when the last tensor of its storage is gone. On a device other than the CPU what does not
    /// fit lies in a file all the same. Throws RunError when the disk is full.
    [[nodiscard]] at::Tensor make(at::IntArrayRef sizes, const at::TensorOptions& options) const;
    /// Nobody needs `part` soon: of a file its pages may leave the memory.
    void set_aside(const at::Tensor& part) const;

    [[nodiscard]] int64_t bytes_in_memory() const;
    [[nodiscard]] int64_t bytes_in_files() const;

private:
    struct State;
    [[nodiscard]] at::Tensor make_in_file(at::IntArrayRef sizes, at::ScalarType type, size_t bytes) const;

    std::shared_ptr<State> state_;  ///< outlives the cache with the tensors
};

}  // namespace calibench
