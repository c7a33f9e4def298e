#pragma once

#include <ATen/core/Tensor.h>

#include "core/quantization/qparams.h"

namespace calibench {

// What auto-round does with a weight where there are no iterations (opt_rtn): round to nearest, with the scale of least squared error,
// each column's error weighted by the mean square of its input (imatrix).

/// Symmetric integers of 2 to 8 bits per tensor, channel or group; auto-round rounds the others with the scale of their range.
[[nodiscard]] bool has_opt_rtn(const QuantizationArgs& weights);

struct OptimalRounding {
    at::Tensor quantized;  ///< int8 [out, in]
    QParams qparams;       ///< scale in `checkpoint_dtype`, signed
};

/// `weight` [out, in]; `imatrix` float32 [in], undefined where nothing is known of the inputs.
[[nodiscard]] OptimalRounding opt_rtn(const at::Tensor& weight, const QuantizationArgs& args, const at::Tensor& imatrix,
                                      at::ScalarType checkpoint_dtype);

/// Collects the imatrix of one Linear.
class InputEnergy {
public:
    /// [..., in]
    void observe(const at::Tensor& input);
    /// Undefined when nothing was seen.
    [[nodiscard]] at::Tensor imatrix() const;

private:
    at::Tensor sum_;  ///< float32 [in], of squares
    int64_t batches_ = 0;
};

}  // namespace calibench
