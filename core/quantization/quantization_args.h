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
/// Static is an alias of Weight and keeps its spelling. Group occurs in older checkpoints only.
enum class ActOrder { Group, Weight, Static };

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

/// Where JSON comes from: compressed-tensors no longer accepts actorder "group", but older checkpoints hold it.
enum class ArgsSource { Recipe, Checkpoint };

/// Reads a JSON object as compressed-tensors' pydantic model does: fills in what follows from the rest and refuses what it
/// refuses, with its sentence. Throws InputError.
[[nodiscard]] QuantizationArgs quantization_args_from_json(const nlohmann::json& object, ArgsSource source = ArgsSource::Recipe);
/// Fills in strategy (from group_size) and zp_dtype (from the type), and throws InputError where the fields contradict each other.
[[nodiscard]] QuantizationArgs resolve_defaults(QuantizationArgs args);
/// Every field, null where unset, as the reference serialises it into quantization_config.
[[nodiscard]] nlohmann::json to_json(const QuantizationArgs& args);

/// The dtype that holds one quantized value: int8, int16, int32 or fp8 e4m3. Throws InputError for fp4, which has none.
[[nodiscard]] DType storage_dtype(const QuantizationArgs& args);
/// Microscaling formats (OCP MX: MXFP4, MXFP8), whose scales are powers of two stored as E8M0 exponents.
[[nodiscard]] bool is_mx(const QuantizationArgs& args);

[[nodiscard]] std::string to_string(QuantizationType);
[[nodiscard]] std::string to_string(Strategy);
[[nodiscard]] std::string to_string(ActOrder);
[[nodiscard]] std::string to_string(DType);  ///< "torch.float32"
[[nodiscard]] DType dtype_from_string(const std::string& name);  ///< with or without "torch."; throws InputError

/// "int4 g64 sym", "int8 channel asym", "fp8 token sym dynamic": what a tree or table shows.
[[nodiscard]] std::string describe(const QuantizationArgs& args);

}  // namespace calibench
