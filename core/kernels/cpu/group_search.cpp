#include "core/kernels/group_search.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <vector>

#include <ATen/ATen.h>

#include "core/kernels/backends.h"
#include "core/kernels/cpu/group_lanes.h"
#include "core/kernels/cpu/group_tiles.h"
#include "core/kernels/search_format.h"

namespace calibench::cpu {

namespace {

constexpr int64_t piece_size = 2048;  // values that stay in the first-level cache for all candidates

float rounded(Rounding rounding, double value) {
    const auto single = float(value);
    if (rounding == Rounding::BFloat16) return at::BFloat16(single);
    return rounding == Rounding::Float16 ? float(at::Half(single)) : single;
}

void copy_run(const float* from, int64_t count, float* to) { std::memcpy(to, from, size_t(count) * sizeof(float)); }
void copy_run(const BFloat16Bits* from, int64_t count, float* to) { group_lanes().widen_bf16(from, count, to); }

at::Tensor floats(const at::Tensor& tensor) { return tensor.to(at::kCPU, at::kFloat).contiguous(); }

std::vector<float> numbers(const at::Tensor& tensor) {
    const at::Tensor from = floats(tensor);
    return {from.const_data_ptr<float>(), from.const_data_ptr<float>() + from.numel()};
}

/// Copies what is not on the CPU.
class Search final : public GroupSearch {
public:
    explicit Search(const GroupSearchInputs& inputs);

    [[nodiscard]] uint32_t try_factors(std::span<const double> factors, const std::optional<Scales>& scales) override;
    void keep() override;
    [[nodiscard]] at::Tensor best_factor() const override;

private:
    struct Candidates;
    struct Piece;
    struct Best {
        std::vector<float> error;
        std::vector<int32_t> factor;
    };

    template <typename T>
    void add_errors(const T* values, const Candidates& candidates, const GroupGrid& grid, const GroupTile& tile, int64_t group, Piece& piece,
                    double* sums) const;
    [[nodiscard]] uint32_t improve(int64_t group, const double* sums, int count);
    template <typename T>
    [[nodiscard]] uint32_t try_runs(const T* values, const Candidates& candidates);

    at::Tensor values_;  ///< bfloat16 or float32
    at::Device device_;  ///< of the inputs
    SearchFormat format_;
    std::vector<float> mins_, maxs_;
    std::vector<float> weights_;
    PowerTable power_;
    int32_t factors_kept_ = 0, factors_tried_ = 0;
    Best best_, pending_;
};

/// What one call of try_factors() tries, and where a thread keeps the piece it works on.
struct Search::Candidates {
    int count;
    ErrorFormat format;
    ScaleRule rule;
    ErrorFunction add_errors = nullptr;
    alignas(64) float factors[most_candidates] = {};
    at::Tensor scale, zero_point;  ///< float32 [count, groups], where the rule does not apply
};

struct Search::Piece {
    alignas(64) float values[piece_size];
    alignas(64) float weights[piece_size];
    alignas(64) float scales[most_candidates];
    alignas(64) float zero_points[most_candidates];
};

Search::Search(const GroupSearchInputs& inputs)
    : values_(inputs.flattened.scalar_type() == at::kBFloat16 ? inputs.flattened.to(at::kCPU).contiguous() : floats(inputs.flattened)),
      device_(inputs.flattened.device()), format_(search_format(inputs)), mins_(numbers(inputs.min)), maxs_(numbers(inputs.max)),
      power_(format_.exponent, format_.error_rounding == Rounding::BFloat16) {
    if (inputs.norm.weights.defined()) weights_ = numbers(inputs.norm.weights);
    best_.error.assign(mins_.size(), format_.largest_error);
    best_.factor.assign(mins_.size(), -1);
    pending_ = best_;
}

uint32_t Search::try_factors(std::span<const double> factors, const std::optional<Scales>& scales) {
    Candidates candidates{.count = int(factors.size()), .format = format_.errors, .rule = format_.scales};
    if (scales) {
        candidates.scale = floats(scales->scale);
        if (scales->zero_point.defined()) candidates.zero_point = floats(scales->zero_point);
        candidates.format.has_zero_point = scales->zero_point.defined();
    }
    candidates.add_errors = group_lanes().error_function(candidates.format, power_);
    std::transform(factors.begin(), factors.end(), candidates.factors, [](double factor) { return float(factor); });
    factors_tried_ = candidates.count;
    if (values_.scalar_type() == at::kBFloat16) return try_runs(static_cast<const BFloat16Bits*>(values_.const_data_ptr()), candidates);
    return try_runs(values_.const_data_ptr<float>(), candidates);
}

/// Adds up what each candidate costs a group in the tile's observations, one piece after the other.
template <typename T>
void Search::add_errors(const T* values, const Candidates& candidates, const GroupGrid& grid, const GroupTile& tile, int64_t group,
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
            candidates.add_errors(inputs, candidates.format, power_, sums);
        }
    }
}

template <typename T>
uint32_t Search::try_runs(const T* values, const Candidates& candidates) {
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

uint32_t Search::improve(int64_t group, const double* sums, int count) {
    float least = best_.error[size_t(group)];
    int32_t factor = best_.factor[size_t(group)];
    uint32_t improved = 0;
    for (int i = 0; i < count; ++i) {
        const float error = rounded(format_.error_rounding, sums[i]);
        if (!(error < least)) continue;
        least = error;
        factor = factors_kept_ + i;
        improved |= 1u << i;
    }
    pending_.error[size_t(group)] = least;
    pending_.factor[size_t(group)] = factor;
    return improved;
}

void Search::keep() {
    std::swap(best_, pending_);
    factors_kept_ += factors_tried_;
    factors_tried_ = 0;
}

at::Tensor Search::best_factor() const {
    return at::from_blob(const_cast<int32_t*>(best_.factor.data()), {int64_t(best_.factor.size())}, at::kInt).clone().to(device_);
}

}  // namespace

std::unique_ptr<GroupSearch> search_groups(const GroupSearchInputs& inputs) { return std::make_unique<Search>(inputs); }

}  // namespace calibench::cpu
