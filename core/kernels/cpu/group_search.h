#pragma once

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include <ATen/core/Tensor.h>

namespace calibench {

struct GroupGrid;
struct GroupTile;
struct PowerTable;

/// The values that a quantized number can take: whole numbers, or floats of few mantissa bits (fp8 e4m3: 3 and -6, fp4 e2m1: 1 and 0).
struct QuantizedLevels {
    double low = -8, high = 7;
    bool are_floats = false;
    int mantissa_bits = 0;
    int least_exponent = 0;
};

/// How an error counts: |error|^exponent, summed over a group.
struct ErrorNorm {
    double exponent = 2.0;
    bool in_float32 = false;  ///< take the error in float32; else in the tensor's dtype, as tensor operations would
    at::Tensor weights;       ///< float32 [columns], with in_float32 and rows of so many: each column's factor; undefined: 1
};

/// Finds for each group of a flattened observation (num_observations, *qparam_shape, group_size) how far to shrink its range, so
/// that sum |dequantize(quantize(x)) - x|^exponent is least. A group is quantized for all candidates while it sits in the cache,
/// without temporaries of the tensor's size; every intermediate result is rounded to the tensor's dtype, as the reference's
/// tensor operations do. Runs on the CPU, wherever the tensor is.
class GroupSearch {
public:
    static constexpr int most_candidates = 16;

    /// min, max: the range before shrinking, [*qparam_shape].
    GroupSearch(const at::Tensor& flattened, const at::Tensor& min, const at::Tensor& max, const QuantizedLevels& levels, bool symmetric,
                const ErrorNorm& norm);

    /// Scales of candidate ranges that do not follow from min and max by division alone: [candidates, *qparam_shape].
    struct Scales {
        at::Tensor scale;
        at::Tensor zero_point;  ///< undefined: none
    };

    /// Tries ranges shrunk by at most 16 factors, in order, against the best so far. Bit i: factor i was an improvement for
    /// some group. Nothing changes until keep().
    [[nodiscard]] uint32_t try_factors(std::span<const double> factors, const std::optional<Scales>& scales = {});
    /// Accepts what the last try_factors() found.
    void keep();

    /// The number of the best factor tried so far for each group, counting those that were kept; -1: none was any good.
    [[nodiscard]] at::Tensor best_factor() const;

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

    at::Tensor values_;
    std::vector<float> mins_, maxs_;
    std::vector<float> weights_;
    at::ScalarType dtype_, error_dtype_;
    QuantizedLevels levels_;
    bool symmetric_, in_float32_;
    std::shared_ptr<const PowerTable> power_;
    int32_t factors_kept_ = 0, factors_tried_ = 0;
    Best best_, pending_;
};

}  // namespace calibench
