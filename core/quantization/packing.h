#pragma once

#include <ATen/core/Tensor.h>

namespace calibench {

/// int8 values in [-2^(b-1), 2^(b-1)-1] -> int32 words along packed_dim, a dense little-endian bit stream of value + 2^(b-1)
/// (compressors/pack_quantized: pack_to_int32). num_bits 1..8; a short last word is zero-padded. Results are contiguous.
/// Tensors with more than two dimensions are packed slice by slice. Throws InputError for another dtype or num_bits.
[[nodiscard]] at::Tensor pack_to_int32(const at::Tensor& value, int num_bits, int packed_dim = 1);
/// Inverse; `shape` is the unpacked [..., rows, columns]. Throws InputError when the packed size does not fit it.
[[nodiscard]] at::Tensor unpack_from_int32(const at::Tensor& packed, int num_bits, at::IntArrayRef shape, int packed_dim = 1);

/// e2m1 values [rows, columns] -> uint8 [rows, columns / 2], low nibble first, bit 3 the sign (-0.0 is 8).
[[nodiscard]] at::Tensor pack_fp4_to_uint8(const at::Tensor& value);
[[nodiscard]] at::Tensor unpack_fp4_from_uint8(const at::Tensor& packed, int64_t rows, int64_t columns, at::ScalarType dtype);

}  // namespace calibench
