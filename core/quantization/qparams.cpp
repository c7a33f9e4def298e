#include "core/quantization/qparams.h"

#include <cmath>
#include <limits>

#include <ATen/ATen.h>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/kernels/cpu/all_finite.h"
#include "core/kernels/cpu/float_scales.h"
#include "core/kernels/cpu/group_rounding.h"

namespace calibench {

namespace {

constexpr double fp8_e4m3_max = 448;
constexpr double fp4_e2m1_max = 6;

/// The finite range and epsilon of a dtype, as torch.finfo and torch.iinfo give them.
struct DTypeLimits {
    double lowest;
    double highest;
    double eps;  ///< what a scale of zero becomes
};

template <typename T>
DTypeLimits limits_of() {
    using Limits = std::numeric_limits<T>;
    return {double(Limits::lowest()), double(Limits::max()), Limits::is_integer ? 1.0 : double(Limits::epsilon())};
}

DTypeLimits limits(at::ScalarType type) {
    switch (type) {
        case at::kDouble: return limits_of<double>();
        case at::kHalf: return limits_of<at::Half>();
        case at::kBFloat16: return limits_of<at::BFloat16>();
        case at::kFloat8_e4m3fn: return {-fp8_e4m3_max, fp8_e4m3_max, 0.125};
        case at::kByte: return limits_of<uint8_t>();
        case at::kChar: return limits_of<int8_t>();
        case at::kShort: return limits_of<int16_t>();
        case at::kInt: return limits_of<int32_t>();
        case at::kLong: return limits_of<int64_t>();
        default: return limits_of<float>();
    }
}

at::Tensor round_to(const at::Tensor& values, at::ScalarType type) {
    const DTypeLimits range = limits(type);
    const at::Tensor clamped = values.clamp(range.lowest, range.highest);
    if (at::isFloatingType(type)) return clamped.to(type);
    // An empty range gives a NaN zero point; C++ leaves its conversion to an integer open, the reference's CPU makes it 0.
    return clamped.round().nan_to_num(0.0).to(type);
}

/// The power of two next to each value; from mantissa 1.75 on the one above, since e2m1 has one mantissa bit.
at::Tensor round_to_power_of_two(const at::Tensor& values) {
    const at::ScalarType type = values.scalar_type();
    const auto mask_mantissa = [&](at::ScalarType word, int64_t mantissa_bits, int64_t bits) {
        const int64_t round_up = int64_t{1} << (mantissa_bits - 2);
        const int64_t sign_and_exponent = -(int64_t{1} << mantissa_bits);
        // A sum that leaves the word wraps around: it starts from NaN, whose bits mean nothing here.
        const at::Tensor raw = values.view(word).to(bits == 16 ? at::kInt : word);
        return raw.add(round_up).bitwise_and(sign_and_exponent).to(word).view(type);
    };
    switch (type) {
        case at::kHalf: return mask_mantissa(at::kShort, 10, 16);
        case at::kBFloat16: return mask_mantissa(at::kShort, 7, 16);
        case at::kDouble: return mask_mantissa(at::kLong, 52, 64);
        default: return mask_mantissa(at::kInt, 23, 32);
    }
}

/// The exponent of the element type's largest value.
int mx_offset(int num_bits) { return std::ilogb(num_bits == 4 ? fp4_e2m1_max : fp8_e4m3_max); }

/// E8M0 exponents (bias 127) such that the largest value of a group falls into the element type's range.
at::Tensor mx_exponents(const at::Tensor& absmax, int num_bits) {
    return round_to_power_of_two(absmax).log2().floor().add(127).sub(mx_offset(num_bits));
}

at::Tensor power_of_two(const at::Tensor& biased_exponent) {
    const at::Tensor exponent = (biased_exponent.to(at::kInt) - 127).to(at::kFloat);
    return at::pow(at::Scalar(2.0), exponent).to(biased_exponent.scalar_type());
}

bool is_finite_and_has_loop(const at::Tensor& min_vals, const at::Tensor& max_vals) {
    const at::ScalarType dtype = min_vals.scalar_type();
    return min_vals.device().is_cpu() && (dtype == at::kFloat || dtype == at::kBFloat16) && max_vals.scalar_type() == dtype && all_finite(min_vals) && all_finite(max_vals);
}

/// Ranges that one fused loop makes scales of: integers in the data's own dtype.
bool has_scale_loop(const at::Tensor& min_vals, const at::Tensor& max_vals, const QuantizationArgs& args, const at::Tensor& global_scale) {
    return args.type == QuantizationType::Int && args.num_bits <= 8 && !args.scale_dtype && args.zp_dtype.value_or(DType::Int8) == DType::Int8 &&
           !global_scale.defined() && is_finite_and_has_loop(min_vals, max_vals);
}

/// Scales that are made in one loop; undefined: these are not.
at::Tensor scales_of_float_ranges(const at::Tensor& min_vals, const at::Tensor& max_vals, const QuantizationArgs& args, const at::Tensor& global_scale) {
    if (args.type != QuantizationType::Float || !args.symmetric || min_vals.dim() == 0) return {};
    if (is_mx(args)) {
        const bool has_loop = args.scale_dtype == DType::UInt8 && !global_scale.defined() && is_finite_and_has_loop(min_vals, max_vals);
        return has_loop ? binary_scales_of_ranges(min_vals, max_vals, mx_offset(args.num_bits)) : at::Tensor();
    }
    const bool has_loop = args.scale_dtype == DType::Float8E4M3 && global_scale.defined() && global_scale.scalar_type() == at::kFloat &&
                          global_scale.numel() == 1 && std::isnormal(global_scale.item<float>()) && global_scale.item<float>() > 0 && is_finite_and_has_loop(min_vals, max_vals);
    return has_loop ? float8_scales_of_ranges(min_vals, max_vals, static_cast<float>(quantization_range(args).max), global_scale.item<float>()) : at::Tensor();
}

int64_t count_not_finite(const at::Tensor& values) { return values.isfinite().logical_not().sum().item<int64_t>(); }

}  // namespace

ScaleAndZeroPoint calculate_qparams(const at::Tensor& min_vals, const at::Tensor& max_vals, const QuantizationArgs& args,
                                    const at::Tensor& global_scale) {
    if (min_vals.sizes() != max_vals.sizes())
        throw InputError(concat("minimum and maximum differ in shape: ", min_vals.sizes(), " and ", max_vals.sizes()));
    if (has_scale_loop(min_vals, max_vals, args, global_scale)) {
        const QuantizationRange range = quantization_range(args);
        const auto shaped = [&](const at::Tensor& ranges) { return ranges.dim() == 0 ? ranges.reshape({1}) : ranges; };
        const RunScales scales = scales_of_ranges(shaped(min_vals), shaped(max_vals), {float(range.min), float(range.max)}, args.symmetric);
        return {scales.scale, scales.zero_point};
    }
    const at::ScalarType zero_point_type = to_scalar_type(args.zp_dtype ? *args.zp_dtype : *resolve_defaults(args).zp_dtype);
    if (const at::Tensor scale = scales_of_float_ranges(min_vals, max_vals, args, global_scale); scale.defined())
        return {scale, at::zeros(scale.sizes(), scale.options().dtype(zero_point_type))};
    // Zero must always be representable.
    const at::Tensor low = at::minimum(min_vals, at::zeros_like(min_vals));
    const at::Tensor high = at::maximum(max_vals, at::zeros_like(max_vals));
    const QuantizationRange range = quantization_range(args);
    const at::Tensor q_min = at::scalar_tensor(range.min, low.options().dtype(at::kFloat));
    const at::Tensor q_max = at::scalar_tensor(range.max, low.options().dtype(at::kFloat));
    const at::Tensor levels = (q_max - q_min).to(high.scalar_type());  // in the data's own dtype, as in the reference

    at::Tensor scale;
    at::Tensor zero_point;
    if (args.symmetric) {
        const at::Tensor absmax = at::maximum(low.abs(), high.abs());
        scale = is_mx(args) ? mx_exponents(absmax, args.num_bits) : absmax / (levels / 2);
        zero_point = at::zeros(scale.sizes(), low.options());
    } else {
        if (args.type == QuantizationType::Float && args.num_bits == 4)
            throw InputError("Asymmetric Quantization is not supported for FP4");
        scale = (high - low) / levels;
        zero_point = (q_min - low / scale).clamp(q_min, q_max);
    }

    if (global_scale.defined()) scale = global_scale * scale;
    if (args.scale_dtype) scale = round_to(scale, to_scalar_type(*args.scale_dtype)).to(scale.scalar_type());
    if (is_mx(args)) scale = power_of_two(scale);
    const double eps = limits(args.scale_dtype ? to_scalar_type(*args.scale_dtype) : scale.scalar_type()).eps;
    scale = at::where(scale == 0, at::scalar_tensor(eps, scale.options()), scale);

    zero_point = round_to(zero_point, zero_point_type);
    if (scale.dim() == 0) return {scale.reshape({1}), zero_point.reshape({1})};
    return {scale, zero_point};
}

at::Tensor generate_gparam(const at::Tensor& min_vals, const at::Tensor& max_vals) {
    const at::Tensor low = at::minimum(min_vals, at::zeros_like(min_vals));
    const at::Tensor high = at::maximum(max_vals, at::zeros_like(max_vals));
    const at::Tensor absmax = at::maximum(low.abs(), high.abs());
    const double tiny = absmax.scalar_type() == at::kHalf     ? std::ldexp(1.0, -14)
                        : absmax.scalar_type() == at::kDouble ? std::numeric_limits<double>::min()
                                                              : double(std::numeric_limits<float>::min());
    // Multiplying by the reciprocal is what Python's `number / tensor` does.
    const at::Tensor scale = absmax.clamp_min(tiny).reciprocal() * (fp8_e4m3_max * fp4_e2m1_max);
    return scale.nan_to_num(1.0, 1.0, 1.0).to(at::kFloat).reshape({1});
}

std::vector<int64_t> weight_scale_shape(const QuantizationArgs& args, int64_t rows, int64_t columns) {
    switch (args.strategy.value_or(Strategy::Tensor)) {
        case Strategy::Tensor: return {1};
        case Strategy::Channel: return {rows, 1};
        case Strategy::Group:
        case Strategy::TensorGroup: {
            const int64_t group_size = args.group_size.value_or(0);
            if (group_size <= 0 || columns % group_size != 0)
                throw InputError(concat("groups of ", group_size, " do not divide the ", columns, " columns of a weight"));
            return {rows, columns / group_size};
        }
        case Strategy::Block: {
            if (!args.block_structure) throw InputError("Block strategy requires block structure");
            const int64_t height = args.block_structure->at(0);
            const int64_t width = args.block_structure->at(1);
            return {(rows + height - 1) / height, (columns + width - 1) / width};
        }
        default: throw InputError(concat("strategy ", to_string(*args.strategy), " does not apply to weights"));
    }
}

void require_finite_range(const at::Tensor& min_vals, const at::Tensor& max_vals, const std::string& module_name,
                          const std::string& what) {
    if (all_finite(min_vals) && all_finite(max_vals)) return;
    const int64_t bad = count_not_finite(min_vals) + count_not_finite(max_vals);
    const int64_t bad_nan = (min_vals.isnan().sum() + max_vals.isnan().sum()).item<int64_t>();
    throw RunError(concat(module_name, ": the range of its ", what, " holds ", bad_nan, " NaN and ", bad - bad_nan, " infinite of ",
                          min_vals.numel() + max_vals.numel(),
                          " values, so no scale follows from it; check this module's weights and the calibration data"));
}

QuantizationRange quantization_range(const QuantizationArgs& args) {
    if (args.type == QuantizationType::Float) {
        if (args.num_bits == 8) return {-fp8_e4m3_max, fp8_e4m3_max};
        if (args.num_bits == 4) return {-fp4_e2m1_max, fp4_e2m1_max};
        throw InputError(concat("num_bits: ", args.num_bits, " is not possible with type float, which has 4 (e2m1) and 8 (e4m3) bits"));
    }
    if (args.num_bits < 1 || args.num_bits > 32) throw InputError(concat("num_bits: ", args.num_bits, " is out of range, use 1 to 32"));
    const double half = std::ldexp(1.0, args.num_bits - 1);
    return {-half, half - 1};
}

at::ScalarType to_scalar_type(DType dtype) {
    switch (dtype) {
        case DType::Float32: return at::kFloat;
        case DType::Float16: return at::kHalf;
        case DType::BFloat16: return at::kBFloat16;
        case DType::Float64: return at::kDouble;
        case DType::Float8E4M3: return at::kFloat8_e4m3fn;
        case DType::UInt8: return at::kByte;
        case DType::Int8: return at::kChar;
        case DType::Int16: return at::kShort;
        case DType::Int32: return at::kInt;
        case DType::Int64: return at::kLong;
        case DType::Bool: return at::kBool;
    }
    throw InputError("this dtype has no tensor type");
}

DType to_dtype(at::ScalarType type) {
    for (const DType dtype : {DType::Float32, DType::Float16, DType::BFloat16, DType::Float64, DType::Float8E4M3, DType::UInt8,
                              DType::Int8, DType::Int16, DType::Int32, DType::Int64, DType::Bool})
        if (to_scalar_type(dtype) == type) return dtype;
    throw InputError(concat("tensors of dtype ", toString(type), " are not supported"));
}

}  // namespace calibench
