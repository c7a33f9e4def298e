#pragma once

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/autoround/tuning_loss.h"
#include "core/calibration/block_observation.h"
#include "core/calibration/block_recipe.h"
#include "core/calibration/float_block.h"
#include "core/checkpoint/compressor.h"

namespace calibench {

/// What goes into a block and what is to come out of it, [samples, seq, hidden].
struct BlockStates {
    at::Tensor float_inputs;      ///< X: of the float model; not kept where nobody can ask for it again
    at::Tensor quantized_inputs;  ///< Xq: of the quantized blocks before it; the same tensor as X until something is quantized
    at::Tensor outputs;           ///< Y: of the float block on X
    at::Tensor loss_mask;         ///< bool [samples, seq]: positions that count
    bool same_inputs = false;     ///< nothing is quantized before this block
};

/// One try at quantizing a block, by one recipe; several can be compared, and any of them put into the block again.
class BlockAttempt {
public:
    /// All references outlive the attempt.
    struct Place {
        const RunPlan& plan;
        FloatBlock& block;
        const BlockObservation& observation;
        const BlockStates& states;
        RunReporter& reporter;
        BlockRange blocks;
    };

    /// `recipe`: its modules are projections of the block.
    BlockAttempt(const Place& place, int64_t number, BlockRecipe recipe);

    /// Activations, the cache, and the weights that are not tuned.
    void round_to_nearest();
    /// The others. Ends early, with the best iterate, when `go_on` says no; at least one iteration is made.
    void tune(const std::function<bool()>& go_on);
    /// Puts the attempt into the block and passes Xq; measures the loss of a block that was only rounded. The outputs.
    [[nodiscard]] at::Tensor propagate();
    /// Whoever asks for the outputs again waits for another pass.
    void forget_outputs() { outputs_.reset(); }
    /// It led nowhere.
    void give_up() { failed_ = true; }
    /// Tells of its modules again, since another attempt was told of meanwhile.
    void tell_modules() const;

    [[nodiscard]] int64_t number() const { return number_; }
    [[nodiscard]] const BlockRecipe& recipe() const { return recipe_; }
    [[nodiscard]] bool tunes() const { return recipe_.max_iters() > 0; }
    [[nodiscard]] bool quantizes() const;
    /// Whether some tuning starts from X.
    [[nodiscard]] bool wants_float_inputs() const;
    [[nodiscard]] bool failed() const { return failed_; }
    [[nodiscard]] bool has_losses() const { return has_losses_; }
    [[nodiscard]] const BlockFinished& outcome() const { return outcome_; }  ///< its losses
    [[nodiscard]] const std::vector<NamedTensor>& stored() const { return stored_; }
    /// Strictly lower loss: of the best iterates where both were tuned, of the block's outputs over all samples otherwise.
    [[nodiscard]] bool is_better_than(BlockAttempt& other);
    /// The work of all tunings of `modules`, in forward passes of one sample.
    [[nodiscard]] static double work_of_tunings(const ModulePlans& modules, const std::vector<AutoRoundOptions>& tunings);
    /// The same of opt_rtn() for those that are rounded by it.
    [[nodiscard]] static double work_of_searches(const ModulePlans& modules, const RunPlan& plan);
    /// Of all tunings and searches, and of propagate() once.
    [[nodiscard]] double work() const;
    /// What of work() is still to be done, and now is planned no longer.
    [[nodiscard]] double release_work() { return std::exchange(work_left_, 0); }

private:
    /// Of one of so many.
    [[nodiscard]] static double work_of_search(const ModulePlan& module, const RunPlan& plan, size_t num_modules);
    void put_in();
    void quantize_activations();
    [[nodiscard]] QParams cache_qparams(Observer* observer) const;
    void quantize_cache();
    void store_cache();
    /// What enable_lfq tunes the last block for.
    [[nodiscard]] NextTokens next_tokens() const;
    void tune_modules(size_t tuning, const std::function<bool()>& go_on);
    void store(const std::string& module, const QParams& weight, const at::Tensor& integers = {});
    void record_loss(int64_t iteration, double loss_mse, bool best);
    [[nodiscard]] double output_loss();
    [[nodiscard]] double num_samples() const { return static_cast<double>(place_.plan.samples.num_samples); }
    [[nodiscard]] at::Tensor source_weight(const std::string& module) const;

    Place place_;
    int64_t number_;
    BlockRecipe recipe_;
    std::map<std::string, ModuleQParams> activations_;  ///< static scales
    std::map<std::string, at::Tensor> weights_;         ///< as a reader of the checkpoint will see them
    std::vector<NamedTensor> stored_;
    std::vector<ModuleQuantized> modules_;
    BlockFinished outcome_;
    at::Tensor outputs_;
    std::optional<double> output_loss_;
    double work_left_ = 0;
    bool has_losses_ = false;
    bool failed_ = false;
};

}  // namespace calibench
