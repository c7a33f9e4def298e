#pragma once

#include <memory>
#include <optional>
#include <span>

#include <ATen/core/Tensor.h>

namespace calibench {

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

struct GroupSearchInputs {
    at::Tensor flattened;  ///< (num_observations, *qparam_shape, group_size), float32, bfloat16 or float16
    at::Tensor min, max;   ///< the range before shrinking, [*qparam_shape]
    QuantizedLevels levels;
    bool symmetric = true;
    ErrorNorm norm;
};

/// Finds for each group of a flattened observation how far to shrink its range, so that sum |dequantize(quantize(x)) - x|^exponent is
/// least. A group is quantized for all candidates while it sits in the cache, without temporaries of the tensor's size; every
/// intermediate result is rounded to the tensor's dtype, as the reference's tensor operations do.
class GroupSearch {
public:
    static constexpr int most_candidates = 16;

    virtual ~GroupSearch() = default;

    /// Scales of candidate ranges that do not follow from min and max by division alone: [candidates, *qparam_shape].
    struct Scales {
        at::Tensor scale;
        at::Tensor zero_point;  ///< undefined: none
    };

    /// Tries ranges shrunk by at most 16 factors, in order, against the best so far. Bit i: factor i was an improvement for
    /// some group. Nothing changes until keep().
    [[nodiscard]] virtual uint32_t try_factors(std::span<const double> factors, const std::optional<Scales>& scales = {}) = 0;
    /// Accepts what the last try_factors() found.
    virtual void keep() = 0;

    /// The number of the best factor tried so far for each group, counting those that were kept; -1: none was any good. int32 [groups]
    /// on the device of the inputs.
    [[nodiscard]] virtual at::Tensor best_factor() const = 0;
};

/// A search on the inputs' device where there are kernels for it, on the CPU otherwise.
[[nodiscard]] std::unique_ptr<GroupSearch> search_groups(const GroupSearchInputs& inputs);

using GroupSearchFactory = std::unique_ptr<GroupSearch> (*)(const GroupSearchInputs& inputs);

}  // namespace calibench
