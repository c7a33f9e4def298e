#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/calibration/float_block.h"

namespace calibench {

/// Tells apart where the error of a block's projections comes from, on the first samples: y = W x of the float model, and what its own
/// rounding (Wq x), the rounding of all that comes before it (W xq) and both (Wq xq) make of it. Rounded inputs are part of xq.
class OutputErrors {
public:
    OutputErrors(const RunPlan& plan, FloatBlock& block) : plan_(plan), block_(block) {}

    /// The block as it is loaded, on X [samples, seq, hidden].
    void see_float(const at::Tensor& inputs);
    /// The block as it became, on Xq; in the order of DecoderBlock::linears(). All tokens are sent to all experts.
    [[nodiscard]] std::vector<OutputErrorMeasured> measure(const at::Tensor& inputs);

private:
    [[nodiscard]] std::map<std::string, at::Tensor> pass(const at::Tensor& inputs);

    const RunPlan& plan_;
    FloatBlock& block_;
    std::map<std::string, at::Tensor> float_inputs_;  ///< x of each projection, [tokens, in]
};

}  // namespace calibench
