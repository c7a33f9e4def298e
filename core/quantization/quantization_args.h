#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace calibench {

// compressed-tensors' vocabulary (compressed_tensors/quantization/quant_args.py): same names, same JSON spellings.

enum class QuantizationType { Int, Float };
enum class Strategy { Tensor, Channel, Group, Block, Token, TensorGroup, AttnHead };
/// No: scales are stored. Yes: computed for every input at run time. Local: group scales at run time, global scale stored.
enum class Dynamic { No, Yes, Local };
enum class ActOrder { Group, Weight };  ///< "static" is an alias of "weight", as in the reference

/// A dtype by name, so that plain headers need no LibTorch; spelled "torch.bfloat16" in JSON.
enum class DType { Float32, Float16, BFloat16, Float64, Float8E4M3, UInt8, Int8, Int16, Int32, Int64, Bool };

/// How one tensor (weight, input or output) is quantized. Defaults are compressed-tensors'.
struct QuantizationArgs {
    int num_bits = 8;
    QuantizationType type = QuantizationType::Int;
    bool symmetric = true;
    std::optional<int64_t> group_size;
    std::optional<Strategy> strategy;
    std::optional<std::vector<int64_t>> block_structure;  ///< [rows, columns]
    Dynamic dynamic = Dynamic::No;
    std::optional<ActOrder> actorder;
    std::optional<DType> scale_dtype;
    std::optional<DType> zp_dtype;
    std::optional<std::string> observer;
    nlohmann::json observer_kwargs = nlohmann::json::object();

    bool operator==(const QuantizationArgs&) const = default;
};

/// Reads a JSON object as compressed-tensors' pydantic model does: fills in what follows from the rest (strategy from
/// group_size, zp_dtype, observer, ...) and refuses what it refuses, with its sentence. Throws InputError.
[[nodiscard]] QuantizationArgs quantization_args_from_json(const nlohmann::json& object);
/// Every field, null where unset, as the reference serialises it into quantization_config.
[[nodiscard]] nlohmann::json to_json(const QuantizationArgs& args);

[[nodiscard]] std::string to_string(QuantizationType);
[[nodiscard]] std::string to_string(Strategy);
[[nodiscard]] std::string to_string(ActOrder);
[[nodiscard]] std::string to_string(DType);  ///< "torch.float32"
[[nodiscard]] DType dtype_from_string(const std::string& name);  ///< with or without "torch."; throws InputError

/// "W4 g64 sym int", "W8 channel", "fp8 token dynamic": what a tree or table shows.
[[nodiscard]] std::string describe(const QuantizationArgs& args);

}  // namespace calibench
