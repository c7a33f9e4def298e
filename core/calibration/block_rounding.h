#pragma once

#include <vector>

#include "core/calibration/run_plan.h"
#include "core/calibration/run_reporter.h"
#include "core/checkpoint/compressor.h"

namespace calibench {

/// Rounds a decoder block to nearest by nothing but its weights, for a plan without samples. Returns what the checkpoint stores of it, under
/// full names.
[[nodiscard]] std::vector<NamedTensor> round_block(const RunPlan& plan, DecoderBlock& block, int64_t index, RunReporter& reporter);

/// Whether quantizing `module` takes samples: it is tuned, has static ranges, or its weight's scales depend on its inputs.
[[nodiscard]] bool needs_samples(const std::string& module, const ModulePlan& plan);

}  // namespace calibench
