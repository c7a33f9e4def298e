#pragma once

#include <functional>
#include <vector>

#include "core/quantization/qparams.h"

namespace calibench {

/// Rounds an activation (an input, output, key or value) to what its scheme can represent; the dtype stays. Gradients pass straight
/// through, so that tuning sees the rounding and still reaches what lies before it.
using ActivationQuantizer = std::function<at::Tensor(const at::Tensor& values)>;

/// With the scales in `qparams` (static), or with scales of each tensor itself (dynamic; local ones are relative to
/// qparams.global_scale).
[[nodiscard]] ActivationQuantizer make_activation_quantizer(const QuantizationArgs& args, const QParams& qparams);

/// Quantizers for projections of which some take in the same tensor, as query, key and value do: those that round alike round it once.
/// For one thread, and for tensors that nobody changes in place.
class SharedQuantizers {
public:
    [[nodiscard]] ActivationQuantizer make(const QuantizationArgs& args, const QParams& qparams);

private:
    struct Rounding {
        QuantizationArgs args;
        QParams qparams;
        ActivationQuantizer quantizer;
    };
    std::vector<Rounding> made_;
};

}  // namespace calibench
