#pragma once

#include "core/autoround/block_tuner.h"
#include "core/calibration/block_calibration.h"
#include "core/calibration/run_plan.h"
#include "core/calibration/run_reporter.h"

namespace calibench {

/// Tunes the head, whose plan has a tuning, on the error of its logits, as auto-round tunes a layer outside of the blocks: with the
/// first SignRound, whatever the blocks had. `hidden` is what the last block gives, `loss_mask` bool [samples, seq]. The logits are
/// never held for more than a slice of a sample. The head is left with what the checkpoint will hold.
[[nodiscard]] TunedWeight tune_head(const RunPlan& plan, Linear& head, const HiddenStates& hidden, const at::Tensor& loss_mask,
                                    RunReporter& reporter);

/// The work of it, in forward passes of one sample through one block.
[[nodiscard]] double work_of_head(const RunPlan& plan);

}  // namespace calibench
