#pragma once

#include <cstdint>

#include "core/models/model_summary.h"
#include "core/quantization/quantization_args.h"

namespace calibench {

/// Bytes that a compressed-tensors checkpoint has for a weight of this shape: packed values, scales, zero points and its shape.
[[nodiscard]] int64_t storedBytes(const QuantizationArgs& weights, int64_t rows, int64_t columns, int64_t bytesPerScale);
/// With scales of the dtype that the weight is stored in. Of a module without `weights`: as it is.
[[nodiscard]] int64_t storedBytes(const ModuleInfo& module, const QuantizationArgs* weights);

}  // namespace calibench
