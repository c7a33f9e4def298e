#include "core/checkpoint/compressor.h"

#include <ATen/ATen.h>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/kernels/cpu/all_finite.h"
#include "core/quantization/fake_quantize.h"
#include "core/quantization/packing.h"

namespace calibench {

namespace {

using Tensors = std::vector<NamedTensor>;

const QuantizationArgs& weight_args(const QuantizationScheme& scheme, CompressionFormat format) {
    if (!scheme.weights) throw InputError(concat("format ", to_string(format), " needs a scheme that quantizes weights"));
    return *scheme.weights;
}

void append(Tensors& tensors, const std::string& name, const at::Tensor& tensor) {
    if (tensor.defined()) tensors.push_back({name, tensor.contiguous()});
}

void require_finite(const std::string& name, const at::Tensor& scale) {
    if (!all_finite(scale))
        throw RunError(concat(name, " holds NaN or infinite values and cannot be stored; check the weights and the calibration data"));
}

void append_scale(Tensors& tensors, const std::string& name, const at::Tensor& scale) {
    if (!scale.defined()) return;
    require_finite(name, scale);
    append(tensors, name, scale);
}

void append_qparams(Tensors& tensors, const std::string& base_name, const QParams& qparams, bool store_zero_point) {
    append_scale(tensors, base_name + "_global_scale", qparams.global_scale);
    append_scale(tensors, base_name + "_scale", qparams.scale);
    if (store_zero_point) append(tensors, base_name + "_zero_point", qparams.zero_point);
}

/// vLLM cannot load the (all zero) zero points of symmetric schemes.
bool has_zero_point(const std::optional<QuantizationArgs>& args) { return !args || !args->symmetric; }

/// Everything but the weight itself, in the order in which a module holds it.
Tensors surroundings(const at::Tensor& bias, const ModuleQParams& qparams, const QuantizationScheme& scheme) {
    Tensors tensors;
    append(tensors, "bias", bias);
    append_qparams(tensors, "input", qparams.input, has_zero_point(scheme.input_activations));
    append_qparams(tensors, "weight", qparams.weight, has_zero_point(scheme.weights));
    append_qparams(tensors, "output", qparams.output, has_zero_point(scheme.output_activations));
    return tensors;
}

bool packs_zero_point(const QuantizationArgs& args) {
    return !args.symmetric && (args.strategy == Strategy::Group || args.strategy == Strategy::Channel);
}

/// E8M0: the exponent of a power of two, with bias 127 (OCP Microscaling specification).
at::Tensor to_e8m0(const at::Tensor& scale) { return (scale.log2().floor().to(at::kInt) + 127).to(at::kByte); }

at::Tensor from_e8m0(const at::Tensor& exponent) {
    return at::pow(at::Scalar(2.0), (exponent.to(at::kInt) - 127).to(at::kBFloat16));
}

bool packs_fp4(CompressionFormat format) {
    return format == CompressionFormat::Nvfp4PackQuantized || format == CompressionFormat::Mxfp4PackQuantized;
}

/// A weight's scale as the format keeps it.
at::Tensor encode_scale(const at::Tensor& scale, const QuantizationArgs& args, CompressionFormat format) {
    switch (format) {
        case CompressionFormat::Mxfp4PackQuantized:
        case CompressionFormat::Mxfp8Quantized: return to_e8m0(scale);
        case CompressionFormat::Nvfp4PackQuantized: return scale.to(to_scalar_type(args.scale_dtype.value_or(DType::Float8E4M3)));
        default: return scale;
    }
}

/// Readers load a scale in the dtype they compute in, and the product with it is rounded no earlier than there.
at::Tensor decode_scale(const at::Tensor& stored, CompressionFormat format, at::ScalarType dtype) {
    switch (format) {
        case CompressionFormat::Mxfp4PackQuantized:
        case CompressionFormat::Mxfp8Quantized: return from_e8m0(stored);
        case CompressionFormat::Nvfp4PackQuantized: return stored.to(at::kBFloat16);
        default: return stored.is_floating_point() ? stored.to(dtype) : stored;
    }
}

Tensors store_packed_integers(const at::Tensor& levels, const at::Tensor& bias, ModuleQParams qparams,
                              const QuantizationScheme& scheme) {
    const QuantizationArgs& args = *scheme.weights;
    if (packs_zero_point(args)) {
        if (!qparams.weight.zero_point.defined()) throw RunError("an asymmetric weight has no zero points to store");
        qparams.weight.zero_point = pack_to_int32(qparams.weight.zero_point, args.num_bits, /*packed_dim=*/0);
    }
    Tensors tensors = surroundings(bias, qparams, scheme);
    append(tensors, "weight_packed", pack_to_int32(levels, args.num_bits));
    append(tensors, "weight_shape", at::tensor(levels.sizes(), at::kLong));
    return tensors;
}

Tensors store_packed_fp4(const at::Tensor& levels, const at::Tensor& bias, ModuleQParams qparams, const QuantizationScheme& scheme,
                         CompressionFormat format) {
    const at::Tensor scale = qparams.weight.scale;
    qparams.weight.scale.reset();  // stored after the weight
    Tensors tensors = surroundings(bias, qparams, scheme);
    append(tensors, "weight_packed", pack_fp4_to_uint8(levels));
    append_scale(tensors, "weight_scale", encode_scale(scale, *scheme.weights, format));
    return tensors;
}

Tensors store_unpacked(const at::Tensor& levels, const at::Tensor& bias, ModuleQParams qparams, const QuantizationScheme& scheme,
                       CompressionFormat format) {
    qparams.weight.scale = encode_scale(qparams.weight.scale, *scheme.weights, format);
    Tensors tensors = surroundings(bias, qparams, scheme);
    append(tensors, "weight", levels);
    return tensors;
}

/// A scale of another shape could broadcast all the same, and give wrong weights.
void check_scale(const QParams& qparams, const QuantizationArgs& args, int64_t rows, int64_t columns) {
    const std::vector<int64_t> shape = weight_scale_shape(args, rows, columns);
    const auto fits = [&](const at::Tensor& t) {
        return args.strategy.value_or(Strategy::Tensor) == Strategy::Tensor ? t.numel() == 1 : t.sizes() == at::IntArrayRef(shape);
    };
    if (!qparams.scale.defined() || !qparams.scale.is_floating_point() || !fits(qparams.scale))
        throw InputError(concat("a weight of shape [", rows, ", ", columns, "] quantized as ", describe(args),
                                " needs a weight_scale of floating point and shape ", at::IntArrayRef(shape)));
    if (qparams.zero_point.defined() && !fits(qparams.zero_point))
        throw InputError(concat("weight_zero_point must have the shape of weight_scale, ", qparams.scale.sizes()));
    if (qparams.global_scale.defined() && qparams.global_scale.numel() != 1)
        throw InputError("weight_global_scale must hold one number");
}

void check_weight(const at::Tensor& weight, const ModuleQParams& qparams, const QuantizationArgs& args) {
    if (weight.dim() != 2) throw InputError(concat("only 2-D weights can be compressed, not one of shape ", weight.sizes()));
    check_scale(qparams.weight, args, weight.size(0), weight.size(1));
    require_finite("weight_scale", qparams.weight.scale);
}

at::Tensor required(const TensorLookup& stored, const std::string& name) {
    const at::Tensor tensor = stored(name);
    if (!tensor.defined()) throw InputError(concat(name, " is missing"));
    return tensor;
}

/// The [out, in] that pack-quantized stores beside the packed weight.
std::vector<int64_t> stored_shape(const TensorLookup& stored) {
    const at::Tensor shape = required(stored, "weight_shape");
    if (shape.numel() != 2 || !at::isIntegralType(shape.scalar_type(), /*includeBool=*/false))
        throw InputError("weight_shape must hold two integers, rows and columns");
    const at::Tensor values = shape.to(at::kCPU, at::kLong).reshape({2});
    return {values[0].item<int64_t>(), values[1].item<int64_t>()};
}

StoredLevels read_packed_integers(const TensorLookup& stored, const QuantizationArgs& args, at::ScalarType dtype) {
    const std::vector<int64_t> shape = stored_shape(stored);
    QParams qparams{decode_scale(required(stored, "weight_scale"), CompressionFormat::PackQuantized, dtype), {}, {}};
    if (!args.symmetric) qparams.zero_point = required(stored, "weight_zero_point");
    if (packs_zero_point(args) && qparams.scale.dim() == 2)
        qparams.zero_point = unpack_from_int32(qparams.zero_point, args.num_bits, {shape[0], qparams.scale.size(-1)}, /*packed_dim=*/0);
    return {unpack_from_int32(required(stored, "weight_packed"), args.num_bits, shape), qparams, stored("weight_g_idx")};
}

StoredLevels read_fp4(const TensorLookup& stored, CompressionFormat format, at::ScalarType dtype) {
    const at::Tensor packed = required(stored, "weight_packed");
    if (packed.dim() != 2) throw InputError(concat("weight_packed must be 2-D, not of shape ", packed.sizes()));
    QParams qparams{decode_scale(required(stored, "weight_scale"), format, dtype), {}, {}};
    if (format == CompressionFormat::Nvfp4PackQuantized) qparams.global_scale = required(stored, "weight_global_scale");
    return {unpack_fp4_from_uint8(packed, packed.size(0), packed.size(1) * 2, at::kBFloat16), qparams, {}};
}

StoredLevels read_unpacked(const TensorLookup& stored, const QuantizationArgs& args, CompressionFormat format, at::ScalarType dtype) {
    QParams qparams{decode_scale(required(stored, "weight_scale"), format, dtype), {}, {}};
    if (!args.symmetric) qparams.zero_point = required(stored, "weight_zero_point");
    const at::Tensor levels = required(stored, "weight");
    if (levels.dim() != 2) throw InputError(concat("weight must be 2-D, not of shape ", levels.sizes()));
    return {levels, qparams, {}};
}

}  // namespace

std::vector<NamedTensor> compress_linear(const at::Tensor& weight, const at::Tensor& bias, const ModuleQParams& qparams,
                                         const QuantizationScheme& scheme, CompressionFormat format) {
    if (format == CompressionFormat::Dense) {
        Tensors tensors{{"weight", weight.contiguous()}};
        append(tensors, "bias", bias);
        append_qparams(tensors, "input", qparams.input, true);
        append_qparams(tensors, "output", qparams.output, true);
        return tensors;
    }
    const QuantizationArgs& args = weight_args(scheme, format);
    check_weight(weight, qparams, args);
    switch (format) {
        case CompressionFormat::PackQuantized:
            return store_packed_integers(quantize(weight, qparams.weight, args, at::kChar), bias, qparams, scheme);
        case CompressionFormat::Nvfp4PackQuantized:
        case CompressionFormat::Mxfp4PackQuantized:
            return store_packed_fp4(quantize(weight, qparams.weight, args), bias, qparams, scheme, format);
        case CompressionFormat::MixedPrecision:
            throw InputError("mixed-precision is the format of a whole checkpoint; each module has one of its own");
        default:
            return store_unpacked(quantize(weight, qparams.weight, args, to_scalar_type(storage_dtype(args))), bias, qparams, scheme,
                                  format);
    }
}

std::vector<NamedTensor> compress_quantized_linear(const at::Tensor& quantized, const at::Tensor& bias, const ModuleQParams& qparams,
                                                   const QuantizationScheme& scheme, CompressionFormat format) {
    const QuantizationArgs& args = weight_args(scheme, format);
    const at::ScalarType dtype = quantized.scalar_type();
    const bool is_fp4 = args.type == QuantizationType::Float && args.num_bits == 4;
    const bool fits = is_fp4 ? at::isFloatingType(dtype) : args.num_bits <= 8 && dtype == to_scalar_type(storage_dtype(args));
    if (!fits) throw InputError(concat("values of ", toString(dtype), " cannot be stored as they are for ", describe(args)));
    check_weight(quantized, qparams, args);
    switch (format) {
        case CompressionFormat::PackQuantized:
            if (args.type == QuantizationType::Int) return store_packed_integers(quantized, bias, qparams, scheme);
            break;
        case CompressionFormat::Nvfp4PackQuantized:
        case CompressionFormat::Mxfp4PackQuantized:
            if (is_fp4) return store_packed_fp4(quantized, bias, qparams, scheme, format);
            break;
        case CompressionFormat::Dense:
        case CompressionFormat::MixedPrecision: break;
        default:
            if (!is_fp4) return store_unpacked(quantized, bias, qparams, scheme, format);
    }
    throw InputError(concat("format ", to_string(format), " does not store ", describe(args)));
}

QParams read_back(const QParams& weight, const QuantizationArgs& args, CompressionFormat format, at::ScalarType dtype) {
    const at::Tensor stored = encode_scale(weight.scale, args, format);
    QParams read{decode_scale(stored, format, dtype), {}, {}};
    const bool is_float8 = at::isFloat8Type(stored.scalar_type());  // which is asked as what it is read as: that is there already
    for (const at::Tensor& scale : {weight.scale, weight.global_scale, is_float8 ? read.scale : stored})
        if (scale.defined() && scale.is_floating_point()) require_finite("weight_scale", scale);
    if (format == CompressionFormat::Nvfp4PackQuantized) read.global_scale = weight.global_scale;
    if (!args.symmetric && !packs_fp4(format)) read.zero_point = weight.zero_point;
    return read;
}

StoredLevels read_levels(const TensorLookup& stored, const QuantizationScheme& scheme, CompressionFormat format, at::ScalarType dtype) {
    const QuantizationArgs& args = weight_args(scheme, format);
    if (format == CompressionFormat::MixedPrecision)
        throw InputError("mixed-precision is the format of a whole checkpoint; each module has one of its own");
    const StoredLevels read = format == CompressionFormat::PackQuantized ? read_packed_integers(stored, args, dtype)
                              : packs_fp4(format)                        ? read_fp4(stored, format, dtype)
                                                                         : read_unpacked(stored, args, format, dtype);
    check_scale(read.qparams, args, read.levels.size(0), read.levels.size(1));
    return read;
}

at::Tensor decompress_linear(const TensorLookup& stored, const QuantizationScheme& scheme, CompressionFormat format,
                             at::ScalarType dtype) {
    if (format == CompressionFormat::Dense) return required(stored, "weight").to(dtype);
    const StoredLevels read = read_levels(stored, scheme, format, dtype);
    // FP4 gives the reference's dtype first, whatever the model's is.
    const std::optional<at::ScalarType> first = packs_fp4(format) ? std::optional(at::kBFloat16) : std::nullopt;
    return dequantize(read.levels, read.qparams, *scheme.weights, first, read.g_idx).to(dtype);
}

}  // namespace calibench
