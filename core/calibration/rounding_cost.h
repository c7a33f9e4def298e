#pragma once

#include <string>

#include "core/autoround/auto_round_options.h"
#include "core/models/causal_lm.h"
#include "core/quantization/quantization_args.h"

namespace calibench {

/// What AutoRound's way with a weight costs beside the products of its block, as measured on a small weight.
struct RoundingCost {
    double start_seconds = 0;  ///< per weight, once: searching a scale, rounding the first time
    double step_seconds = 0;   ///< per weight and iteration; 0 where fused kernels step
    double step_bytes = 0;     ///< per weight of the one Linear at work; 0 where fused kernels step
};

/// options.iters 0: of opt_rtn(). Throws InputError naming `module` for a scheme that cannot be tuned.
[[nodiscard]] RoundingCost measure_rounding(const std::string& module, const QuantizationArgs& weights, const AutoRoundOptions& options,
                                            const ComputeOptions& compute);

}  // namespace calibench
