#include "core/kernels/cpu/group_errors.h"

#include <algorithm>
#include <cstring>

#include <ATen/ATen.h>

#include "core/kernels/cpu/group_lanes.h"
#include "core/kernels/cpu/group_tiles.h"

namespace calibench {

namespace {

constexpr int64_t piece_size = 2048;  // floats; values and weights of a piece stay in the first-level cache for all candidates

ErrorFormat::Rounding rounding_of(at::ScalarType dtype) {
    if (dtype == at::kBFloat16) return ErrorFormat::Rounding::BFloat16;
    return dtype == at::kHalf ? ErrorFormat::Rounding::Float16 : ErrorFormat::Rounding::Float32;
}

/// Copies runs piece by piece into padded buffers and adds up their errors.
struct ErrorSums {
    ErrorFormat format;
    PowerTable power;
    ErrorFunction add_errors;
    const float* floats;            // one of the two is set
    const BFloat16Bits* bfloats;
    const float* weights;           // or null
    int64_t weights_period;
    const float* scales;            // [candidates, groups]
    const float* zero_points;       // or null
    int64_t candidates;
    int64_t groups;

    void add_run(int64_t offset, int64_t size, int64_t group, double* sums) const {
        alignas(64) float values[piece_size];
        alignas(64) float factors[piece_size];
        for (int64_t begin = 0; begin < size; begin += piece_size) {
            const int64_t count = std::min(piece_size, size - begin);
            const int64_t padded = (count + 15) / 16 * 16;
            if (floats)
                std::memcpy(values, floats + offset + begin, size_t(count) * sizeof(float));
            else
                group_lanes().widen_bf16(bfloats + offset + begin, count, values);
            std::fill(values + count, values + padded, 0.0f);  // zero quantizes to zero: no error
            if (weights) std::memcpy(factors, weights + (offset + begin) % weights_period, size_t(count) * sizeof(float));
            else if (format.is_weighted) std::fill(factors, factors + count, 1.0f);
            std::fill(factors + count, factors + padded, 0.0f);
            add_errors({values, factors, padded, scales + group, zero_points ? zero_points + group : nullptr, groups, candidates},
                       format, power, sums);
        }
    }
};

}  // namespace

bool has_group_errors_kernel(const at::Tensor& x) {
    return x.device().is_cpu() && (x.scalar_type() == at::kFloat || x.scalar_type() == at::kBFloat16 || x.scalar_type() == at::kHalf);
}

at::Tensor group_quantization_errors(const at::Tensor& x, const at::Tensor& scales, const at::Tensor& zero_points,
                                     const QuantizedLevels& levels, const ErrorNorm& norm) {
    const ErrorFormat format{.rounding = rounding_of(x.scalar_type()),
                             .low = float(levels.low),
                             .high = float(levels.high),
                             .float_levels = levels.are_floats,
                             .mantissa_bits = levels.mantissa_bits,
                             .least_exponent = levels.least_exponent,
                             .has_zero_point = zero_points.defined(),
                             .is_weighted = norm.in_float32};
    // LibTorch raises a tensor to a power in the tensor's dtype, exponent included.
    const at::ScalarType error_dtype = format.is_weighted ? at::kFloat : x.scalar_type();
    const PowerTable power(at::scalar_tensor(norm.exponent, error_dtype).to(at::kDouble).item<double>());

    const bool is_bfloat = x.scalar_type() == at::kBFloat16;
    const at::Tensor values = is_bfloat ? x.contiguous() : x.to(at::kFloat).contiguous();
    const at::Tensor scale_values = scales.to(at::kFloat).contiguous();
    const at::Tensor zero_values = zero_points.defined() ? zero_points.to(at::kFloat).contiguous() : at::Tensor();
    const at::Tensor weights = norm.weights.defined() ? norm.weights.to(at::kFloat).contiguous() : at::Tensor();

    const GroupGrid grid(values);
    const int64_t candidates = scales.size(0);
    at::Tensor sums = at::zeros({grid.parts, candidates, grid.groups}, at::kDouble);
    double* const sums_data = sums.data_ptr<double>();
    const ErrorSums errors{format,
                           power,
                           group_lanes().error_function(format, power),
                           is_bfloat ? nullptr : values.const_data_ptr<float>(),
                           is_bfloat ? static_cast<const BFloat16Bits*>(values.const_data_ptr()) : nullptr,
                           weights.defined() ? weights.const_data_ptr<float>() : nullptr,
                           weights.defined() ? weights.numel() : 1,
                           scale_values.const_data_ptr<float>(),
                           zero_values.defined() ? zero_values.const_data_ptr<float>() : nullptr,
                           candidates,
                           grid.groups};
    for_each_tile(grid, [&](const GroupTile& tile) {
        std::vector<double> group_sums(static_cast<size_t>(candidates));
        for (int64_t group = tile.group_begin; group < tile.group_end; ++group) {
            std::fill(group_sums.begin(), group_sums.end(), 0.0);
            for (int64_t observation = tile.observation_begin; observation < tile.observation_end; ++observation)
                errors.add_run(grid.offset(observation, group), grid.run_size(observation), group, group_sums.data());
            for (int64_t candidate = 0; candidate < candidates; ++candidate)
                sums_data[(tile.part * candidates + candidate) * grid.groups + group] = group_sums[size_t(candidate)];
        }
    });
    return (grid.parts == 1 ? sums[0] : sums.sum(0)).to(at::kFloat).view(scales.sizes());
}

}  // namespace calibench
