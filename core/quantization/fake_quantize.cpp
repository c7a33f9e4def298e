#include "core/quantization/fake_quantize.h"

#include <algorithm>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/kernels/cpu/group_rounding.h"

namespace calibench {

namespace {

bool is_grouped(const QuantizationArgs& args) { return args.strategy == Strategy::Group || args.strategy == Strategy::TensorGroup; }

/// What is done to each element once scales broadcast against it.
using ElementOp = std::function<at::Tensor(const at::Tensor& x, const QParams& qparams)>;

at::Tensor effective_scale(const QParams& qparams) {
    return qparams.global_scale.defined() ? qparams.scale / qparams.global_scale : qparams.scale;
}

at::Tensor round_to_level(const at::Tensor& x, const at::Tensor& scale, const at::Tensor& zero_point, const QuantizationArgs& args) {
    at::Tensor scaled = x / scale;
    if (zero_point.defined()) scaled = scaled.add_(zero_point.to(x.scalar_type()));
    const QuantizationRange range = quantization_range(args);
    const auto bound = [&](double value) { return at::scalar_tensor(value, x.options().dtype(at::kFloat)); };
    scaled = scaled.clamp(bound(range.min), bound(range.max));
    if (args.type == QuantizationType::Int) return scaled.round_();
    if (args.num_bits == 4) return cast_to_fp4(scaled);
    return scaled.to(at::kFloat8_e4m3fn).to(scaled.scalar_type());
}

at::Tensor restore(const at::Tensor& q, const at::Tensor& scale, const at::Tensor& zero_point) {
    at::Tensor value = q.to(scale.scalar_type());
    if (zero_point.defined()) value = value - zero_point.to(scale.scalar_type());
    return value * scale;
}

at::Tensor unsqueeze_last(const at::Tensor& t) { return t.defined() ? t.unsqueeze(-1) : t; }

at::Tensor by_group(const at::Tensor& x, QParams qparams, const QuantizationArgs& args, at::ScalarType output_dtype,
                    const at::Tensor& g_idx, const ElementOp& op) {
    const int64_t group_size = args.group_size.value_or(0);
    const int64_t columns = x.size(-1);
    if (group_size <= 0 || columns % group_size != 0)
        throw InputError(concat("tensor column shape must be divisble by the given group_size ", group_size, " but got ", columns));
    while (qparams.scale.dim() < 2) {
        qparams.scale = qparams.scale.unsqueeze(1);
        if (qparams.zero_point.defined()) qparams.zero_point = qparams.zero_point.unsqueeze(1);
    }
    at::Tensor permutation;
    if (g_idx.defined() && !(g_idx == -1).any().item<bool>()) permutation = at::argsort(g_idx, /*stable=*/true);

    const at::Tensor ordered = permutation.defined() ? x.index_select(-1, permutation) : x;
    const at::Tensor groups = ordered.unflatten(-1, {columns / group_size, group_size});
    qparams.scale = unsqueeze_last(qparams.scale);
    qparams.zero_point = unsqueeze_last(qparams.zero_point);
    const at::Tensor output = op(groups, qparams).flatten(-2).to(output_dtype);
    return permutation.defined() ? output.index_select(-1, at::argsort(permutation)) : output;
}

/// Ragged blocks at the lower and right edges are zero-padded for the scales' sake.
at::Tensor by_block(const at::Tensor& x, QParams qparams, const QuantizationArgs& args, const ElementOp& op) {
    if (x.dim() != 2 || !args.block_structure) throw InputError("block quantization needs a 2-D tensor and a block_structure");
    const int64_t height = args.block_structure->at(0);
    const int64_t width = args.block_structure->at(1);
    const int64_t block_rows = (x.size(0) + height - 1) / height;
    const int64_t block_columns = (x.size(1) + width - 1) / width;
    const at::Tensor padded = at::constant_pad_nd(x, {0, block_columns * width - x.size(1), 0, block_rows * height - x.size(0)});
    const at::Tensor blocks = padded.reshape({block_rows, height, block_columns, width}).transpose(1, 2);
    qparams.scale = unsqueeze_last(unsqueeze_last(qparams.scale));
    qparams.zero_point = unsqueeze_last(unsqueeze_last(qparams.zero_point));
    const at::Tensor output = op(blocks, qparams).transpose(1, 2).reshape(padded.sizes());
    return output.narrow(0, 0, x.size(0)).narrow(1, 0, x.size(1));
}

/// Arranges x so that its scales broadcast, applies the operation, and puts the elements back in their places.
at::Tensor apply_at_once(const at::Tensor& x, const QParams& qparams, const QuantizationArgs& args, at::ScalarType grouped_output_dtype,
                         const at::Tensor& g_idx, const ElementOp& op) {
    if (args.strategy == Strategy::Block) return by_block(x, qparams, args, op);
    if (is_grouped(args)) return by_group(x, qparams, args, grouped_output_dtype, g_idx, op);
    return op(x, qparams);
}

/// Elements worked on at a time: a head's temporaries would be the largest thing in memory.
constexpr int64_t elements_at_a_time = 1 << 23;

/// Cuts a large weight and its scales into slices of whole rows, which know nothing of each other.
class RowSlices {
public:
    RowSlices(const at::Tensor& x, const QParams& qparams, const QuantizationArgs& args, const at::Tensor& g_idx) : qparams_(qparams) {
        if (x.dim() != 2 || x.numel() <= elements_at_a_time || g_idx.defined()) return;
        if (args.strategy == Strategy::Block && args.block_structure) height_ = args.block_structure->at(0);
        const at::Tensor& scale = qparams.scale;
        const bool has_rows = args.strategy == Strategy::Block || args.strategy == Strategy::Channel || is_grouped(args);
        shares_scale_ = scale.numel() == 1;
        if (!shares_scale_ && !(has_rows && scale.dim() == 2 && scale.size(0) == (x.size(0) + height_ - 1) / height_)) return;
        if (qparams.zero_point.defined() && qparams.zero_point.sizes() != scale.sizes()) return;
        rows_ = std::max<int64_t>(1, elements_at_a_time / x.size(1) / height_) * height_;
    }

    /// 0: all at once.
    [[nodiscard]] int64_t rows() const { return rows_; }
    [[nodiscard]] QParams qparams_of(int64_t first_row) const {
        if (shares_scale_) return qparams_;
        QParams part = qparams_;
        for (at::Tensor* tensor : {&part.scale, &part.zero_point})
            if (tensor->defined()) *tensor = tensor->slice(0, first_row / height_, (first_row + rows_) / height_);
        return part;
    }

private:
    const QParams& qparams_;
    int64_t height_ = 1;  ///< rows that share a scale
    int64_t rows_ = 0;
    bool shares_scale_ = false;
};

/// The scales of x where a fused loop knows what to do with them: integers, whose every run of consecutive values shares one.
std::optional<RunScales> scales_of_runs(const at::Tensor& x, const QParams& qparams, const QuantizationArgs& args, const at::Tensor& g_idx) {
    if (args.type != QuantizationType::Int || args.num_bits > 8 || x.dim() == 0 || qparams.global_scale.defined() || g_idx.defined()) return {};
    std::vector<int64_t> shape = x.sizes().vec();
    switch (args.strategy.value_or(Strategy::Tensor)) {
        case Strategy::Tensor: shape = {1}; break;
        case Strategy::Channel:
        case Strategy::Token: shape.back() = 1; break;
        case Strategy::Group: {
            const int64_t group_size = args.group_size.value_or(0);
            if (group_size <= 0 || shape.back() % group_size != 0) return {};
            shape.back() /= group_size;
            break;
        }
        default: return {};
    }
    const bool has_shape = qparams.scale.sizes() == at::IntArrayRef(shape) &&
                           (!qparams.zero_point.defined() || qparams.zero_point.sizes() == qparams.scale.sizes());
    const RunScales scales{qparams.scale, qparams.zero_point};
    if (!has_shape || !has_rounding_loop(x, scales)) return {};
    return scales;
}

IntegerLevels levels_of(const QuantizationArgs& args) {
    const QuantizationRange range = quantization_range(args);
    return {static_cast<float>(range.min), static_cast<float>(range.max)};
}

at::Tensor apply(const at::Tensor& x, const QParams& qparams, const QuantizationArgs& args, at::ScalarType grouped_output_dtype,
                 const at::Tensor& g_idx, const ElementOp& op) {
    const c10::NoGradGuard no_grad;
    try {
        const RowSlices slices(x, qparams, args, g_idx);
        if (slices.rows() == 0) return apply_at_once(x, qparams, args, grouped_output_dtype, g_idx, op);
        at::Tensor all;
        for (int64_t begin = 0; begin < x.size(0); begin += slices.rows()) {
            const at::Tensor part = apply_at_once(x.slice(0, begin, begin + slices.rows()), slices.qparams_of(begin), args, grouped_output_dtype, {}, op);
            if (!all.defined()) all = at::empty(x.sizes(), part.options());
            all.slice(0, begin, begin + slices.rows()).copy_(part);
        }
        return all;
    } catch (const c10::Error&) {
        throw InputError(concat("a scale of shape ", qparams.scale.sizes(), " does not fit a tensor of shape ", x.sizes(),
                                " quantized as ", describe(args)));
    }
}

}  // namespace

at::Tensor quantize(const at::Tensor& x, const QParams& qparams, const QuantizationArgs& args, std::optional<at::ScalarType> dtype,
                    const at::Tensor& g_idx) {
    if (!qparams.scale.defined()) throw InputError("quantization needs a scale");
    if (dtype == at::kChar && x.scalar_type() != at::kChar)
        if (const auto scales = scales_of_runs(x, qparams, args, g_idx)) return quantize_runs(x, *scales, levels_of(args));
    const auto op = [&](const at::Tensor& values, const QParams& fitted) {
        const at::Tensor level = round_to_level(values, effective_scale(fitted), fitted.zero_point, args);
        return dtype ? level.to(*dtype) : level;
    };
    return apply(x, qparams, args, dtype.value_or(x.scalar_type()), g_idx, op);
}

at::Tensor dequantize(const at::Tensor& q, const QParams& qparams, const QuantizationArgs& args, std::optional<at::ScalarType> dtype,
                      const at::Tensor& g_idx) {
    if (!qparams.scale.defined()) throw InputError("dequantization needs a scale");
    if (q.scalar_type() == at::kChar && dtype.value_or(qparams.scale.scalar_type()) == qparams.scale.scalar_type())
        if (const auto scales = scales_of_runs(q, qparams, args, g_idx)) return dequantize_runs(q, *scales);
    const auto op = [&](const at::Tensor& values, const QParams& fitted) {
        const at::Tensor value = restore(values, effective_scale(fitted), fitted.zero_point);
        return dtype ? value.to(*dtype) : value;
    };
    return apply(q, qparams, args, dtype.value_or(qparams.scale.scalar_type()), g_idx, op);
}

at::Tensor fake_quantize(const at::Tensor& x, const QParams& qparams, const QuantizationArgs& args, const at::Tensor& g_idx) {
    if (!qparams.scale.defined()) throw InputError("quantization needs a scale");
    if (const auto scales = scales_of_runs(x, qparams, args, g_idx); scales && x.scalar_type() != at::kChar)
        return fake_quantize_runs(x, *scales, levels_of(args));
    const auto op = [&](const at::Tensor& values, const QParams& fitted) {
        const at::Tensor scale = effective_scale(fitted);
        return restore(round_to_level(values, scale, fitted.zero_point, args), scale, fitted.zero_point);
    };
    return apply(x, qparams, args, x.scalar_type(), g_idx, op);
}

at::Tensor cast_to_fp4(const at::Tensor& x) {
    // The levels are multiples of 0.5 up to 2, of 1 up to 4 and of 2 up to 6. Dividing by a power of two is exact.
    const at::Tensor magnitude = x.abs();
    const at::Tensor one = at::ones({}, x.options());
    const at::Tensor step = at::where(magnitude < 2, one / 2, at::where(magnitude < 4, one, one * 2));
    return (magnitude / step).round_().mul_(step).clamp_max_(6).mul_(x.sign());
}

ScaleAndZeroPoint compute_dynamic_qparams(const at::Tensor& x, const QuantizationArgs& args, const at::Tensor& global_scale) {
    const c10::NoGradGuard no_grad;
    at::Tensor min_vals;
    at::Tensor max_vals;
    if (is_grouped(args)) {
        const int64_t group_size = args.group_size.value_or(0);
        if (group_size <= 0 || x.size(-1) % group_size != 0)
            throw InputError(concat("groups of ", group_size, " do not divide the ", x.size(-1), " columns of an activation"));
        std::tie(min_vals, max_vals) = x.unflatten(-1, {x.size(-1) / group_size, group_size}).aminmax(-1);
    } else if (args.strategy == Strategy::Token && x.dim() > 2) {
        // One scale per (batch, token). A 2-D input leaves nothing to reduce, and the reference then takes the whole tensor.
        std::vector<int64_t> features;
        for (int64_t dim = 2; dim < x.dim(); ++dim) features.push_back(dim);
        min_vals = x.amin(features, /*keepdim=*/true);
        max_vals = x.amax(features, /*keepdim=*/true);
    } else if (args.strategy == Strategy::Token || args.strategy == Strategy::Tensor) {
        std::tie(min_vals, max_vals) = x.aminmax();
    } else {
        throw InputError("Dynamic quantization is only supported for (token, tensor, tensor_group, group)");
    }
    return calculate_qparams(min_vals, max_vals, args, global_scale);
}

}  // namespace calibench
