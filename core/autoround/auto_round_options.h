#pragma once

#include <cstdint>
#include <optional>

#include "core/quantization/auto_round_knobs.h"
#include "core/quantization/quantization_args.h"

namespace calibench {

/// AutoRound's knobs under auto-round's names (Cheng et al., Findings of EMNLP 2024; intel/auto-round 0.15).
struct AutoRoundOptions : AutoRoundKnobs {
    int64_t iters = 200;
    int64_t batch_size = 8;
    std::optional<double> lr;         ///< unset: 1 / iters (2 / iters at <= 3 bits when iters >= 1000)
    uint64_t seed = 42;
    DType scale_dtype = DType::Float16;       ///< scales while tuning, as auto-round
    bool leave_out_outliers = false;          ///< SignRoundV2's loss below 4 bits, of weights or activations
    DType checkpoint_dtype = DType::Float32;  ///< scales as stored: the model's dtype

    /// One step looks at so many.
    [[nodiscard]] int64_t samples_per_iteration() const { return batch_size * gradient_accumulate_steps; }
    bool operator==(const AutoRoundOptions&) const = default;
};

}  // namespace calibench
