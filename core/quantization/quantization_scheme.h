#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/quantization/quantization_args.h"

namespace calibench {

/// compressed-tensors' storage formats, by their names in quantization_config ("pack-quantized", ...).
enum class CompressionFormat {
    Dense, PackQuantized, IntQuantized, FloatQuantized, NaiveQuantized,
    Nvfp4PackQuantized, Mxfp4PackQuantized, Mxfp8Quantized, MixedPrecision,
};

/// How the modules matching `targets` are quantized (compressed_tensors/quantization/quant_scheme.py).
struct QuantizationScheme {
    std::vector<std::string> targets;  ///< module names, class names, or "re:" + regular expression
    std::optional<QuantizationArgs> weights;
    std::optional<QuantizationArgs> input_activations;
    std::optional<QuantizationArgs> output_activations;
    std::optional<CompressionFormat> format;

    bool operator==(const QuantizationScheme&) const = default;
};

/// quantization_config of a checkpoint, and what a modifier resolves to.
struct QuantizationConfig {
    std::vector<std::pair<std::string, QuantizationScheme>> config_groups;  ///< in file order: the first match wins
    std::vector<std::string> ignore;
    std::optional<QuantizationArgs> kv_cache_scheme;
    std::optional<CompressionFormat> format;
};

[[nodiscard]] const std::vector<std::string>& preset_scheme_names();  ///< in the reference's order
/// "W4A16", "NVFP4", ... case-insensitive as in the reference. Throws InputError, naming the nearest preset.
[[nodiscard]] QuantizationScheme preset_scheme(const std::string& name, std::vector<std::string> targets);

[[nodiscard]] QuantizationScheme quantization_scheme_from_json(const nlohmann::json& object, ArgsSource source = ArgsSource::Recipe);
[[nodiscard]] nlohmann::json to_json(const QuantizationScheme& scheme);
/// Reads a checkpoint's quantization_config object (config.json).
[[nodiscard]] QuantizationConfig quantization_config_from_json(const nlohmann::json& object);

/// scheme.format, or else the one compressed-tensors would choose: the most specific that fits (compressors/format.py).
[[nodiscard]] CompressionFormat infer_format(const QuantizationScheme& scheme);
[[nodiscard]] std::string to_string(CompressionFormat);
[[nodiscard]] CompressionFormat compression_format_from_string(const std::string& name);

/// "W4A16 g64 sym", "NVFP4": for trees and tables.
[[nodiscard]] std::string describe(const QuantizationScheme& scheme);

}  // namespace calibench
