#pragma once

#include <functional>
#include <map>
#include <string>

#include "core/calibration/run_plan.h"
#include "core/calibration/run_reporter.h"
#include "core/models/causal_lm.h"

namespace calibench {

/// A decoder block and the weights it was loaded with, so that it can be quantized again.
class FloatBlock {
public:
    explicit FloatBlock(DecoderBlock& block);

    [[nodiscard]] DecoderBlock& block() const { return block_; }
    [[nodiscard]] bool has(const std::string& module) const { return linears_.contains(module); }
    [[nodiscard]] Linear& linear(const std::string& module) const { return *linears_.at(module); }
    [[nodiscard]] const std::map<std::string, Linear*>& linears() const { return linears_; }
    [[nodiscard]] const at::Tensor& weight(const std::string& module) const { return weights_.at(module); }

    /// Nothing is quantized, nobody watches.
    void put_back();

private:
    DecoderBlock& block_;
    std::map<std::string, Linear*> linears_;
    std::map<std::string, at::Tensor> weights_;
};

using OnBatch = std::function<void(int64_t begin, const at::Tensor& outputs)>;

/// The block over all samples [samples, seq, hidden], batch by batch; a run may be stopped between any two.
void pass_all(DecoderBlock& block, const at::Tensor& inputs, const RunPlan& plan, RunReporter& reporter, const OnBatch& on_batch = {});
/// The same, and what comes out of it, of the inputs' shape, in the plan's activation cache.
[[nodiscard]] at::Tensor forward_all(DecoderBlock& block, const at::Tensor& inputs, const RunPlan& plan, RunReporter& reporter,
                                     const OnBatch& on_batch = {});

}  // namespace calibench
