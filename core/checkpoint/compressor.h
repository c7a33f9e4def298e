#pragma once

#include <functional>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "core/quantization/qparams.h"
#include "core/quantization/quantization_scheme.h"

namespace calibench {

struct NamedTensor {
    std::string name;
    at::Tensor tensor;
};

/// All qparams a quantized module carries before it is stored.
struct ModuleQParams {
    QParams weight;
    QParams input;   ///< static activations
    QParams output;
};

/// The tensors of one Linear as compressed-tensors stores them, names relative to the module ("weight_packed", "weight_scale",
/// "weight_shape", ..., "bias"), in the reference's order (compressed_tensors/compressors). Scales keep the dtype they come in, which
/// should be the weight's. Throws RunError when a scale is not finite.
[[nodiscard]] std::vector<NamedTensor> compress_linear(const at::Tensor& weight, const at::Tensor& bias, const ModuleQParams& qparams,
                                                       const QuantizationScheme& scheme, CompressionFormat format);

/// The same from levels already chosen (a learned rounding), stored as they are: `quantized` [out, in] is int8, float8 e4m3, or the
/// levels of float4 in any floating dtype.
[[nodiscard]] std::vector<NamedTensor> compress_quantized_linear(const at::Tensor& quantized, const at::Tensor& bias,
                                                                 const ModuleQParams& qparams, const QuantizationScheme& scheme,
                                                                 CompressionFormat format);

/// What a reader who computes in `dtype` finds of a weight's qparams once compress_linear() has stored them: the formats keep scales in less
/// than they come in. Throws RunError when a scale is not finite.
[[nodiscard]] QParams read_back(const QParams& weight, const QuantizationArgs& args, CompressionFormat format, at::ScalarType dtype);

/// Looks up a stored tensor by its name relative to the module; undefined when absent.
using TensorLookup = std::function<at::Tensor(const std::string& relative_name)>;

/// A stored weight [out, in] before it is dequantized.
struct StoredLevels {
    at::Tensor levels;  ///< in the dtype they are stored in; bfloat16 for float4
    QParams qparams;    ///< as a reader computes with them
    at::Tensor g_idx;   ///< of older checkpoints, see dequantize(); undefined: none
};

/// For a reader that computes in `dtype`. The format is not Dense. Throws InputError when a tensor is missing or misshapen.
[[nodiscard]] StoredLevels read_levels(const TensorLookup& stored, const QuantizationScheme& scheme, CompressionFormat format, at::ScalarType dtype);

/// The dense weight [out, in] of a stored module, in `dtype`: what transformers computes with when it loads the model in that dtype
/// (the FP4 and MX formats give bfloat16 first, whatever is asked for). Throws InputError when a tensor is missing or misshapen.
[[nodiscard]] at::Tensor decompress_linear(const TensorLookup& stored, const QuantizationScheme& scheme, CompressionFormat format,
                                           at::ScalarType dtype);

}  // namespace calibench
