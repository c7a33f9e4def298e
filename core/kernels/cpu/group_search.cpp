#include "core/kernels/cpu/group_search.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <limits>

#include <ATen/ATen.h>

#include "core/kernels/cpu/group_lanes.h"
#include "core/kernels/cpu/group_tiles.h"

namespace calibench {

namespace {

constexpr int64_t piece_size = 2048;  // values that stay in the first-level cache for all candidates

ErrorFormat::Rounding rounding_of(at::ScalarType dtype) {
    if (dtype == at::kBFloat16) return ErrorFormat::Rounding::BFloat16;
    return dtype == at::kHalf ? ErrorFormat::Rounding::Float16 : ErrorFormat::Rounding::Float32;
}

float largest_finite(at::ScalarType dtype) {
    if (dtype == at::kBFloat16) return std::numeric_limits<at::BFloat16>::max();
    return dtype == at::kHalf ? float(std::numeric_limits<at::Half>::max()) : std::numeric_limits<float>::max();
}

float epsilon(at::ScalarType dtype) {
    if (dtype == at::kBFloat16) return std::numeric_limits<at::BFloat16>::epsilon();
    return dtype == at::kHalf ? float(std::numeric_limits<at::Half>::epsilon()) : std::numeric_limits<float>::epsilon();
}

float round_to(at::ScalarType dtype, double value) {
    const auto single = float(value);
    if (dtype == at::kBFloat16) return at::BFloat16(single);
    return dtype == at::kHalf ? float(at::Half(single)) : single;
}

void copy_run(const float* from, int64_t count, float* to) { std::memcpy(to, from, size_t(count) * sizeof(float)); }
void copy_run(const BFloat16Bits* from, int64_t count, float* to) { group_lanes().widen_bf16(from, count, to); }

}  // namespace

/// What one call of try_factors() tries, and where a thread keeps the piece it works on.
struct GroupSearch::Candidates {
    int count;
    ErrorFormat format;
    ScaleRule rule;
    ErrorFunction add_errors;
    alignas(64) float factors[most_candidates];
    at::Tensor scale, zero_point;  ///< float32 [count, groups], where the rule does not apply
};

struct GroupSearch::Piece {
    alignas(64) float values[piece_size];
    alignas(64) float weights[piece_size];
    alignas(64) float scales[most_candidates];
    alignas(64) float zero_points[most_candidates];
};

GroupSearch::GroupSearch(const at::Tensor& flattened, const at::Tensor& min, const at::Tensor& max, const QuantizedLevels& levels, bool symmetric,
                         const ErrorNorm& norm)
    : dtype_(flattened.scalar_type()), error_dtype_(norm.in_float32 ? at::kFloat : dtype_), levels_(levels), symmetric_(symmetric),
      in_float32_(norm.in_float32) {
    const auto floats = [](const at::Tensor& tensor) { return tensor.to(at::kCPU, at::kFloat).contiguous(); };
    values_ = dtype_ == at::kBFloat16 ? flattened.to(at::kCPU).contiguous() : floats(flattened);
    const auto copy = [&](const at::Tensor& tensor) {
        const at::Tensor from = floats(tensor);
        return std::vector<float>(from.const_data_ptr<float>(), from.const_data_ptr<float>() + from.numel());
    };
    mins_ = copy(min);
    maxs_ = copy(max);
    if (norm.weights.defined()) weights_ = copy(norm.weights);
    // LibTorch raises a tensor to a power in the tensor's dtype, exponent included.
    const auto exponent = at::scalar_tensor(norm.exponent, at::kDouble).to(error_dtype_).item<double>();
    power_ = std::make_shared<PowerTable>(exponent, error_dtype_ == at::kBFloat16);
    best_.error.assign(mins_.size(), largest_finite(error_dtype_));
    best_.factor.assign(mins_.size(), -1);
    pending_ = best_;
}

uint32_t GroupSearch::try_factors(std::span<const double> factors, const std::optional<Scales>& scales) {
    const auto rounding = rounding_of(dtype_);
    const float range = round_to(dtype_, levels_.high - levels_.low);
    Candidates candidates{
        .count = int(factors.size()),
        .format = {.rounding = rounding,
                   .low = float(levels_.low),
                   .high = float(levels_.high),
                   .float_levels = levels_.are_floats,
                   .least_normal = std::ldexp(1.0f, levels_.least_exponent),
                   .magic_factor = std::ldexp(1.5f, 23 - levels_.mantissa_bits),
                   .has_zero_point = scales ? scales->zero_point.defined() : !symmetric_,
                   .is_weighted = in_float32_},
        .rule = {.rounding = rounding,
                 .is_symmetric = symmetric_,
                 .low = float(levels_.low),
                 .high = float(levels_.high),
                 .divisor = symmetric_ ? round_to(dtype_, range / 2) : range,
                 .least = epsilon(dtype_)},
        .add_errors = nullptr,
        .factors = {},
        .scale = scales ? scales->scale.to(at::kCPU, at::kFloat).contiguous() : at::Tensor(),
        .zero_point = scales && scales->zero_point.defined() ? scales->zero_point.to(at::kCPU, at::kFloat).contiguous() : at::Tensor(),
    };
    candidates.add_errors = group_lanes().error_function(candidates.format, *power_);
    std::transform(factors.begin(), factors.end(), candidates.factors, [](double factor) { return float(factor); });
    factors_tried_ = candidates.count;
    if (dtype_ == at::kBFloat16) return try_runs(static_cast<const BFloat16Bits*>(values_.const_data_ptr()), candidates);
    return try_runs(values_.const_data_ptr<float>(), candidates);
}

/// Adds up what each candidate costs a group in the tile's observations, one piece after the other.
template <typename T>
void GroupSearch::add_errors(const T* values, const Candidates& candidates, const GroupGrid& grid, const GroupTile& tile, int64_t group,
                             Piece& piece, double* sums) const {
    ErrorInputs inputs{piece.values, piece.weights, 0, piece.scales, piece.zero_points, 1, candidates.count};
    if (candidates.scale.defined()) {
        inputs.scales = candidates.scale.const_data_ptr<float>() + group;
        if (candidates.zero_point.defined()) inputs.zero_points = candidates.zero_point.const_data_ptr<float>() + group;
        inputs.stride = grid.groups;
    } else {
        group_lanes().candidate_scales(candidates.rule, mins_[group], maxs_[group], candidates.factors, piece.scales, piece.zero_points);
    }
    for (int64_t observation = tile.observation_begin; observation < tile.observation_end; ++observation) {
        const int64_t offset = grid.offset(observation, group), size = grid.run_size(observation);
        for (int64_t begin = 0; begin < size; begin += piece_size) {
            const int64_t count = std::min(piece_size, size - begin);
            inputs.size = (count + 15) / 16 * 16;
            copy_run(values + offset + begin, count, piece.values);
            std::fill(piece.values + count, piece.values + inputs.size, 0.0f);  // zero quantizes to zero: no error
            if (!weights_.empty()) copy_run(weights_.data() + (offset + begin) % int64_t(weights_.size()), count, piece.weights);
            candidates.add_errors(inputs, candidates.format, *power_, sums);
        }
    }
}

template <typename T>
uint32_t GroupSearch::try_runs(const T* values, const Candidates& candidates) {
    const GroupGrid grid(values_);
    std::vector<double> part_sums(grid.parts == 1 ? 0 : size_t(grid.parts * grid.groups * most_candidates));
    std::atomic<uint32_t> improved{0};
    for_each_tile(grid, [&](const GroupTile& tile) {
        Piece piece;
        std::fill(std::begin(piece.weights), std::end(piece.weights), 1.0f);
        uint32_t improved_here = 0;
        for (int64_t group = tile.group_begin; group < tile.group_end; ++group) {
            double sums[most_candidates] = {};
            add_errors(values, candidates, grid, tile, group, piece, sums);
            if (grid.parts == 1) improved_here |= improve(group, sums, candidates.count);
            else std::copy(std::begin(sums), std::end(sums), part_sums.data() + (tile.part * grid.groups + group) * most_candidates);
        }
        improved |= improved_here;
    });

    for (int64_t group = 0; grid.parts > 1 && group < grid.groups; ++group) {
        double sums[most_candidates] = {};
        for (int64_t part = 0; part < grid.parts; ++part)
            for (int i = 0; i < candidates.count; ++i) sums[i] += part_sums[size_t((part * grid.groups + group) * most_candidates + i)];
        improved |= improve(group, sums, candidates.count);
    }
    return improved;
}

uint32_t GroupSearch::improve(int64_t group, const double* sums, int count) {
    float least = best_.error[size_t(group)];
    int32_t factor = best_.factor[size_t(group)];
    uint32_t improved = 0;
    for (int i = 0; i < count; ++i) {
        const float error = round_to(error_dtype_, sums[i]);
        if (!(error < least)) continue;
        least = error;
        factor = factors_kept_ + i;
        improved |= 1u << i;
    }
    pending_.error[size_t(group)] = least;
    pending_.factor[size_t(group)] = factor;
    return improved;
}

void GroupSearch::keep() {
    std::swap(best_, pending_);
    factors_kept_ += factors_tried_;
    factors_tried_ = 0;
}

at::Tensor GroupSearch::best_factor() const {
    return at::from_blob(const_cast<int32_t*>(best_.factor.data()), {int64_t(best_.factor.size())}, at::kInt).clone();
}

}  // namespace calibench
