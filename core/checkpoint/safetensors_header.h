#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

namespace calibench {

/// One tensor of a file to be written.
struct SafetensorsEntry {
    std::string name;
    at::ScalarType dtype;
    std::vector<int64_t> shape;
    uint64_t num_bytes = 0;
};

[[nodiscard]] SafetensorsEntry describe_tensor(const std::string& name, const at::Tensor& tensor);

/// The order in which the safetensors library lays out data: widest dtype first, then by name, so that all is aligned.
void sort_for_safetensors(std::vector<SafetensorsEntry>& entries);

/// Everything before the data: the length, then the JSON header padded with spaces to 8 bytes, or to `least_size` in all
/// (github.com/huggingface/safetensors).
[[nodiscard]] std::string safetensors_header(const std::vector<SafetensorsEntry>& entries, const std::map<std::string, std::string>& metadata,
                                             uint64_t least_size = 0);

}  // namespace calibench
