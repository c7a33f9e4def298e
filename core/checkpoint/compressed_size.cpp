#include "core/checkpoint/compressed_size.h"

#include "core/quantization/qparams.h"

namespace calibench {

namespace {

int64_t divide_up(int64_t value, int64_t divisor) { return (value + divisor - 1) / divisor; }

constexpr int64_t kWordBytes = 4;
constexpr int64_t kGlobalScaleBytes = 4;  // float32 [1]
constexpr int64_t kShapeBytes = 16;       // int64 [2]

int64_t packed_words(int64_t values, int bits) { return divide_up(values * bits, 8 * kWordBytes); }

/// Static scales of an activation; dynamic ones are not stored. A dense module keeps the zero points of symmetric ones too.
int64_t activation_bytes(const std::optional<QuantizationArgs>& args, bool dense, int64_t scale_bytes) {
    if (!args || args->dynamic == Dynamic::Yes) return 0;
    if (args->strategy == Strategy::TensorGroup) return kGlobalScaleBytes;  // "local": group scales are made at run time
    return scale_bytes + (args->symmetric && !dense ? 0 : 1);
}

}  // namespace

int64_t compressed_bytes(const QuantizationScheme& scheme, CompressionFormat format, int64_t rows, int64_t columns, int64_t scale_bytes) {
    const bool dense = !scheme.weights || format == CompressionFormat::Dense;
    const int64_t activations =
        activation_bytes(scheme.input_activations, dense, scale_bytes) + activation_bytes(scheme.output_activations, dense, scale_bytes);
    if (dense) return rows * columns * scale_bytes + activations;

    const QuantizationArgs& args = *scheme.weights;
    int64_t scales = 1;
    for (int64_t extent : weight_scale_shape(args, rows, columns)) scales *= extent;
    const int64_t zero_points = args.symmetric ? 0 : scales;
    switch (format) {
        case CompressionFormat::PackQuantized: {
            const bool packed = args.strategy == Strategy::Group || args.strategy == Strategy::Channel;
            const int64_t groups = scales / rows;
            const int64_t zero_point_bytes = args.symmetric ? 0 : packed ? packed_words(rows, args.num_bits) * kWordBytes * groups : zero_points;
            return rows * packed_words(columns, args.num_bits) * kWordBytes + kShapeBytes + scales * scale_bytes + zero_point_bytes + activations;
        }
        case CompressionFormat::Nvfp4PackQuantized:
            return rows * columns / 2 + scales + kGlobalScaleBytes + activations;
        case CompressionFormat::Mxfp4PackQuantized:
            return rows * columns / 2 + scales + activations;
        case CompressionFormat::Mxfp8Quantized:
            return rows * columns + scales + activations;
        default:
            return rows * columns + scales * scale_bytes + zero_points + activations;
    }
}

int64_t cache_scale_bytes(const QuantizationArgs& args, int64_t num_key_value_heads, int64_t scale_bytes) {
    if (args.dynamic != Dynamic::No) return 0;
    const int64_t scales = args.strategy == Strategy::AttnHead ? num_key_value_heads : 1;
    return 2 * scales * (scale_bytes + (args.symmetric ? 0 : 1));
}

}  // namespace calibench
