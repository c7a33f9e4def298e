#pragma once

#include <cstdint>

#include "core/quantization/quantization_scheme.h"

namespace calibench {

/// Bytes of one stored Linear [rows, columns], its scales and zero points included and its bias left out, without
/// compressing it: what compress_linear would return. `scale_bytes`: bytes of one number of the model's dtype.
[[nodiscard]] int64_t compressed_bytes(const QuantizationScheme& scheme, CompressionFormat format, int64_t rows, int64_t columns,
                                       int64_t scale_bytes);

/// Bytes of the scales of one attention's keys and values.
[[nodiscard]] int64_t cache_scale_bytes(const QuantizationArgs& args, int64_t num_key_value_heads, int64_t scale_bytes);

}  // namespace calibench
