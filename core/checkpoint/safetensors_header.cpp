#include "core/checkpoint/safetensors_header.h"

#include <algorithm>
#include <cstring>
#include <string_view>
#include <utility>

#include <ATen/ATen.h>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/text.h"

namespace calibench {

/// The library's dtypes in its own order, which decides the layout.
static constexpr std::pair<at::ScalarType, const char*> dtypes[] = {
    {at::kUInt64, "U64"}, {at::kLong, "I64"}, {at::kDouble, "F64"}, {at::kFloat, "F32"}, {at::kUInt32, "U32"},
    {at::kInt, "I32"}, {at::kBFloat16, "BF16"}, {at::kHalf, "F16"}, {at::kUInt16, "U16"}, {at::kShort, "I16"},
    {at::kFloat8_e8m0fnu, "F8_E8M0"}, {at::kFloat8_e4m3fn, "F8_E4M3"}, {at::kFloat8_e5m2, "F8_E5M2"}, {at::kChar, "I8"},
    {at::kByte, "U8"}, {at::kBool, "BOOL"},
};

static size_t dtype_rank(at::ScalarType dtype) {
    return std::find_if(std::begin(dtypes), std::end(dtypes), [&](const auto& known) { return known.first == dtype; }) - std::begin(dtypes);
}

SafetensorsEntry describe_tensor(const std::string& name, const at::Tensor& tensor) {
    if (dtype_rank(tensor.scalar_type()) == std::size(dtypes))
        throw RunError(concat(name, ": safetensors has no dtype for ", c10::toString(tensor.scalar_type()), "."));
    return {name, tensor.scalar_type(), tensor.sizes().vec(), tensor.nbytes()};
}

void sort_for_safetensors(std::vector<SafetensorsEntry>& entries) {
    std::sort(entries.begin(), entries.end(), [](const SafetensorsEntry& a, const SafetensorsEntry& b) {
        return std::pair<size_t, std::string_view>(dtype_rank(a.dtype), a.name) < std::pair<size_t, std::string_view>(dtype_rank(b.dtype), b.name);
    });
}

std::string safetensors_header(const std::vector<SafetensorsEntry>& entries, const std::map<std::string, std::string>& metadata,
                               uint64_t least_size) {
    nlohmann::ordered_json header = nlohmann::ordered_json::object();
    if (!metadata.empty()) header["__metadata__"] = metadata;
    uint64_t begin = 0;
    for (const auto& entry : entries) {
        const uint64_t end = begin + entry.num_bytes;
        nlohmann::ordered_json object;
        object["dtype"] = dtypes[dtype_rank(entry.dtype)].second;
        object["shape"] = entry.shape;
        object["data_offsets"] = {begin, end};
        header[entry.name] = std::move(object);
        begin = end;
    }
    std::string text = header.dump();
    uint64_t length = (text.size() + 7) / 8 * 8;
    if (length + sizeof length < least_size) length = least_size - sizeof length;
    text.resize(length, ' ');
    std::string prefix(sizeof length, '\0');
    std::memcpy(prefix.data(), &length, sizeof length);
    return prefix + text;
}

}  // namespace calibench
