#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/calibration/module_observers.h"
#include "core/calibration/run_plan.h"
#include "core/calibration/run_reporter.h"
#include "core/checkpoint/compressor.h"

namespace calibench {

/// What the walk carries from one block to the next; in the compute dtype, [samples, seq, hidden].
struct HiddenStates {
    at::Tensor reference;  ///< X: of the float model
    at::Tensor quantized;  ///< Xq: of the quantized model; the same tensor as X until something is quantized
};

/// Calibrates one decoder block: observes it, rounds or tunes its weights, moves the hidden states behind it.
class BlockCalibration {
public:
    /// `loss_mask` [samples, seq], bool: positions that count.
    BlockCalibration(const RunPlan& plan, DecoderBlock& block, int64_t index, const at::Tensor& loss_mask, RunReporter& reporter);

    /// The block is left with the weights that a reader of the checkpoint will see. Returns what the checkpoint stores of its
    /// quantized modules, under full names.
    [[nodiscard]] std::vector<NamedTensor> run(HiddenStates& hidden);
    [[nodiscard]] const BlockFinished& outcome() const { return outcome_; }

    /// Whether run() changes what the block computes.
    [[nodiscard]] static bool quantizes(const RunPlan& plan, int64_t index);
    /// The work of run(), in forward passes of one sample.
    [[nodiscard]] static double work(const RunPlan& plan, int64_t index);

private:
    using OnBatch = std::function<void(int64_t begin, const at::Tensor& outputs)>;

    void observe_weights();
    [[nodiscard]] at::Tensor run_reference(const at::Tensor& inputs);
    void observe_experts(const at::Tensor& inputs);
    void quantize_activations();
    void quantize_cache();
    void round_to_nearest();
    void tune(size_t tuning, const at::Tensor& inputs, const at::Tensor& outputs);
    void store(const std::string& module, const QParams& weight, const at::Tensor& integers = {});
    [[nodiscard]] at::Tensor run_quantized(const at::Tensor& inputs, const at::Tensor& outputs);
    /// The block over all samples, batch by batch; may be cancelled between any two.
    [[nodiscard]] at::Tensor forward_all(const at::Tensor& inputs, const OnBatch& on_batch = {});

    const RunPlan& plan_;
    const ModulePlans& modules_;
    DecoderBlock& block_;
    at::Tensor loss_mask_;
    RunReporter& reporter_;
    std::map<std::string, Linear*> linears_;
    std::map<std::string, at::Tensor> weights_;   ///< of modules_, as the source checkpoint has them
    std::map<std::string, ModuleObservers> observers_;  ///< of modules_
    std::unique_ptr<Observer> key_observer_, value_observer_;  ///< of a cache with static scales
    std::map<std::string, ModuleQParams> activations_;  ///< static scales of modules_
    std::vector<NamedTensor> stored_;
    BlockFinished outcome_;
};

}  // namespace calibench
