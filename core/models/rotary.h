#pragma once

#include <mutex>

#include <ATen/core/Tensor.h>

#include "core/models/model_config.h"

namespace calibench {

/// Rotary position embedding (Su et al., RoFormer), halves rotated as in transformers' rotate_half.
class RotaryEmbedding {
public:
    RotaryEmbedding(const RopeParameters& rope, int64_t head_dim);

    /// cos and sin [1 or batch, 1, seq, head_dim] of one batch, in `dtype`.
    struct Angles {
        at::Tensor cos;
        at::Tensor sin;
    };
    /// position_ids int64 [batch, seq], or undefined for 0 .. seq-1.
    [[nodiscard]] Angles angles(const at::Tensor& position_ids, int64_t seq, at::ScalarType dtype, at::Device device) const;
    /// x [batch, heads, seq, head_dim].
    [[nodiscard]] static at::Tensor rotate(const at::Tensor& x, const Angles& angles);

private:
    [[nodiscard]] Angles compute(const at::Tensor& positions, at::ScalarType dtype) const;

    at::Tensor inverse_frequency_;  ///< float32 [head_dim / 2]
    mutable std::mutex mutex_;
    mutable Angles usual_;          ///< of the positions from 0 on that were asked for last: every block and batch asks for the same
};

}  // namespace calibench
