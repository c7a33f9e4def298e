#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/calibration/block_attempt.h"
#include "core/calibration/block_observation.h"
#include "core/calibration/output_errors.h"
#include "core/calibration/run_plan.h"
#include "core/calibration/run_reporter.h"
#include "core/calibration/sketch_store.h"
#include "core/checkpoint/compressor.h"

namespace calibench {

/// What the walk carries from one block to the next; in the compute dtype, [samples, seq, hidden].
struct HiddenStates {
    at::Tensor reference;  ///< X: of the float model
    at::Tensor quantized;  ///< Xq: of the quantized model; the same tensor as X until something is quantized
};

/// Calibrates one decoder block, or several in a row as if they were one: observes it, rounds or tunes its weights, moves the hidden states behind it. Obeys the orders
/// that come meanwhile: the block is attempted again with other settings, and one of the attempts is kept.
class BlockCalibration {
public:
    /// `loss_mask` [samples, seq], bool: positions that count. `plan` changes when an order changes the recipe.
    BlockCalibration(RunPlan& plan, DecoderBlock& block, BlockRange blocks, const at::Tensor& loss_mask, RunReporter& reporter);

    /// The block is left with the weights that a reader of the checkpoint will see. Returns what the checkpoint stores of its
    /// quantized modules, under full names; what became of the block is for the caller to tell.
    [[nodiscard]] std::vector<NamedTensor> run(HiddenStates& hidden);
    [[nodiscard]] const BlockFinished& outcome() const { return outcome_; }
    [[nodiscard]] const StoredSketches& sketches() const { return sketches_; }

    /// Whether run() changes what the block computes.
    [[nodiscard]] static bool quantizes(const RunPlan& plan, int64_t block);
    /// The work of run(), in forward passes of one sample, as long as nobody gives orders.
    [[nodiscard]] static double work(const RunPlan& plan, BlockRange blocks);

private:
    /// Sleeps while the run is paused; afterwards `next_` holds what is to be attempted instead, if anything.
    void hear_orders();
    void obey(const BlockOrder& order);
    void warn_and_pause(Warning::Kind kind, const std::string& message);
    void require_projections(const BlockRecipe& recipe) const;
    void drop_late_order();
    void carry_out(BlockAttempt& attempt);
    void hold_if_wanted(const BlockAttempt& attempt);
    void begin_again();
    [[nodiscard]] BlockAttempt& choose();
    [[nodiscard]] std::unique_ptr<BlockAttempt> make_attempt(int64_t number, BlockRecipe recipe);
    void tell_recipe(const BlockRecipe& recipe);
    void tell_modules(const BlockAttempt& kept);

    RunPlan& plan_;
    FloatBlock block_;
    BlockRange blocks_;
    RunReporter& reporter_;
    BlockObservation observation_;
    OutputErrors output_errors_;
    StoredSketches sketches_;
    BlockStates states_;
    std::unique_ptr<BlockAttempt> best_;    ///< of the attempts before the newest; null when there is one only
    std::unique_ptr<BlockAttempt> newest_;
    std::optional<BlockRecipe> next_;
    BlockOrder::Keep keep_ = BlockOrder::Keep::Better;
    bool finish_ = false;
    std::string told_recipe_;
    std::set<std::string> attempted_;  ///< modules, by any attempt
    BlockFinished outcome_;
};

}  // namespace calibench
