#include "ui/lens/stored_size.h"

namespace calibench {

namespace {

int64_t divided(int64_t count, int64_t size) { return size > 0 ? (count + size - 1) / size : 1; }

/// A bit stream of 32-bit words (compressors/pack_quantized).
int64_t packedBytes(int64_t values, int64_t bits) { return divided(values * bits, 32) * 4; }

}  // namespace

int64_t storedBytes(const QuantizationArgs& weights, int64_t rows, int64_t columns, int64_t bytesPerScale) {
    const bool grouped = weights.strategy == Strategy::Group || weights.strategy == Strategy::TensorGroup;
    int64_t scaleRows = rows, scaleColumns = grouped ? divided(columns, weights.group_size.value_or(columns)) : 1;
    if (!weights.strategy || weights.strategy == Strategy::Tensor) scaleRows = scaleColumns = 1;
    if (weights.strategy == Strategy::Block && weights.block_structure && weights.block_structure->size() == 2) {
        scaleRows = divided(rows, (*weights.block_structure)[0]);
        scaleColumns = divided(columns, (*weights.block_structure)[1]);
    }
    if (weights.type == QuantizationType::Float) {
        const int64_t globalScale = weights.strategy == Strategy::TensorGroup ? 4 : 0;
        const bool scalesOfOneByte = weights.num_bits == 4 || weights.scale_dtype == DType::UInt8;  // NVFP4 and microscaling
        return rows * columns * weights.num_bits / 8 + scaleRows * scaleColumns * (scalesOfOneByte ? 1 : bytesPerScale) + globalScale;
    }
    const int64_t shape = 16;
    const int64_t zeroPoints = weights.symmetric ? 0 : packedBytes(scaleRows, weights.num_bits) * scaleColumns;
    return rows * packedBytes(columns, weights.num_bits) + scaleRows * scaleColumns * bytesPerScale + zeroPoints + shape;
}

int64_t storedBytes(const ModuleInfo& module, const QuantizationArgs* weights) {
    if (!weights || module.shape.size() != 2) return module.num_bytes;
    return storedBytes(*weights, module.shape[0], module.shape[1], module.dtype == "F32" ? 4 : 2);
}

}  // namespace calibench
