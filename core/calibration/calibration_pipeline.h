#pragma once

#include <functional>
#include <set>

#include "core/calibration/block_calibration.h"
#include "core/calibration/run_plan.h"
#include "core/calibration/run_reporter.h"

namespace calibench {

/// Walks embeddings -> blocks -> head, one block in memory at a time, and hands what the checkpoint stores to the plan's writer.
class CalibrationPipeline {
public:
    CalibrationPipeline(RunPlan& plan, RunReporter& reporter);

    /// Ends with the export in place, if there is one.
    RunSummary run();
    /// Behind the last block run.
    [[nodiscard]] const HiddenStates& hidden() const { return hidden_; }

private:
    void embed();
    void calibrate_block(int64_t index);
    void calibrate_head();
    /// What the head sees, batch by batch.
    void show_head_inputs(const std::function<void(const at::Tensor& input)>& watch);
    /// Copies the source's tensors under `prefix` that are not stored in another form, byte for byte.
    void export_as_they_are(const std::string& prefix);

    RunPlan& plan_;
    RunReporter& reporter_;
    at::Tensor input_ids_;  ///< int64 [samples, seq]
    at::Tensor loss_mask_;  ///< bool [samples, seq]
    HiddenStates hidden_;
    std::set<std::string> exported_;
    std::vector<BlockFinished> outcomes_;
};

}  // namespace calibench
