#pragma once

#include <functional>
#include <map>
#include <string>

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

/// The block over all samples [samples, seq, hidden], batch by batch, to the same shape; a run may be stopped between any two.
[[nodiscard]] at::Tensor forward_all(DecoderBlock& block, const at::Tensor& inputs, int64_t batch_size, RunReporter& reporter,
                                     const std::function<void(int64_t begin, const at::Tensor& outputs)>& on_batch = {});

}  // namespace calibench
