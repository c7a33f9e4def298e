#pragma once

#include <string>
#include <vector>

#include "core/calibration/run_plan.h"
#include "core/checkpoint/compressor.h"
#include "core/models/layers.h"

namespace calibench {

/// A Linear as the checkpoint stores it.
struct StoredLinear {
    std::vector<NamedTensor> tensors;  ///< full names, the bias left out
    double weight_sqnr_db = 0;         ///< 10 log10(sum W^2 / sum (W - Wq)^2); infinite when the weight stays as it is
};

/// Compresses `weight` (or takes `integers`, a learned rounding, as they are) and leaves `linear` with the weight that a reader
/// of the checkpoint will see, so that what follows is calibrated against exactly that.
[[nodiscard]] StoredLinear store_linear(Linear& linear, const at::Tensor& weight, const ModulePlan& plan, const ModuleQParams& qparams,
                                        const at::Tensor& integers = {});

}  // namespace calibench
