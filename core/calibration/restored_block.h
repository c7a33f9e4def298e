#pragma once

#include "core/calibration/block_calibration.h"
#include "core/calibration/block_store.h"

namespace calibench {

/// Moves the hidden states behind a block that an earlier part of the run finished: X through the block as it is, Xq through
/// what became of it. The block is left with the weights and quantizers of the latter.
void run_restored_block(const RunPlan& plan, DecoderBlock& block, int64_t index, const FinishedBlock& finished, HiddenStates& hidden, RunReporter& reporter);

/// In forward passes of one sample, as BlockCalibration::work().
[[nodiscard]] double work_of_restoring(const RunPlan& plan);

}  // namespace calibench
