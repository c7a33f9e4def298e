#include <set>

#include <nlohmann/json.hpp>

#include "core/checkpoint/checkpoint_writer.h"

namespace calibench {

/// The release of compressed-tensors whose layout is written; readers choose their rules by it.
static constexpr const char* compressed_tensors_version = "0.19.0";

nlohmann::json quantization_config_json(const std::vector<std::pair<std::string, QuantizationScheme>>& config_groups,
                                        const std::vector<std::string>& ignored_modules,
                                        const std::optional<QuantizationArgs>& kv_cache_scheme) {
    nlohmann::json groups = nlohmann::json::object();
    std::set<std::string> formats;
    for (const auto& [name, scheme] : config_groups) {
        QuantizationScheme stored = scheme;
        if (!stored.format) stored.format = infer_format(scheme);
        if (*stored.format != CompressionFormat::Dense) formats.insert(to_string(*stored.format));
        groups[name] = to_json(stored);
    }
    const std::string format = formats.empty()       ? to_string(CompressionFormat::Dense)
                               : formats.size() == 1 ? *formats.begin()
                                                     : to_string(CompressionFormat::MixedPrecision);
    return {
        {"config_groups", groups},
        {"format", format},
        {"global_compression_ratio", nullptr},
        {"ignore", ignored_modules},
        {"kv_cache_scheme", kv_cache_scheme ? to_json(*kv_cache_scheme) : nlohmann::json()},
        {"quant_method", "compressed-tensors"},
        {"quantization_status", "compressed"},
        {"sparsity_config", nlohmann::json::object()},
        {"transform_config", nlohmann::json::object()},
        {"version", compressed_tensors_version},
    };
}

}  // namespace calibench
