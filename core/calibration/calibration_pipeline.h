#pragma once

#include <functional>
#include <optional>
#include <set>

#include "core/autoround/block_tuner.h"
#include "core/calibration/block_calibration.h"
#include "core/calibration/block_store.h"
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
    [[nodiscard]] at::Tensor embed_all(const std::function<at::Tensor(const at::Tensor& ids)>& embed);
    /// The embedding with the weight that a reader will see.
    [[nodiscard]] at::Tensor calibrate_embedding();
    void calibrate_blocks(BlockRange blocks);
    /// A block that an earlier part of the run has finished, or another run.
    void restore_block(int64_t index);
    /// Makes a block of another run one of this.
    void tell_again(int64_t index, const FinishedBlock& finished);
    void finish_block(int64_t index, const std::vector<NamedTensor>& stored, const BlockFinished& outcome);
    void export_block(int64_t index, const std::vector<NamedTensor>& stored, const BlockFinished& outcome);
    /// Its losses are cross-entropies, not errors of its outputs.
    [[nodiscard]] bool is_judged_by_tokens(int64_t index) const;
    void calibrate_head();
    /// Exports a module outside the blocks, as it was tuned or else rounded to nearest.
    void store_outer(Linear& linear, const at::Tensor& weight, const ModulePlan& plan, const ModuleObservers& observers,
                     const TunedWeight& tuned = {});
    /// A head that shared the embedding's weight, and does no longer, needs its own.
    void export_untied_head();
    /// Embedding and head where nothing is planned for them: the largest of all tensors are written while blocks are worked on.
    void export_untouched();
    /// Copies the source's tensors under `prefix` that are not stored in another form, byte for byte.
    void export_as_they_are(const std::string& prefix);

    RunPlan& plan_;
    RunReporter& reporter_;
    at::Tensor input_ids_;  ///< int64 [samples, seq]
    at::Tensor loss_mask_;  ///< bool [samples, seq]
    HiddenStates hidden_;
    std::optional<BlockStore> store_;  ///< of what is done, so that the run can go on behind it
    std::optional<SketchStore> sketches_;
    std::set<std::string> exported_;
    std::vector<BlockFinished> outcomes_;  ///< with errors of outputs as losses
};

}  // namespace calibench
