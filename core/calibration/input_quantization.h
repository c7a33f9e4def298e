#pragma once

#include "core/models/layers.h"
#include "core/quantization/qparams.h"

namespace calibench {

/// Makes `linear` round its inputs as `args` say: with `qparams` (static), or with scales of each input itself (dynamic; local ones
/// are relative to the global scale in `qparams`).
/// Gradients pass straight through, so that the blocks' tuning sees the rounding and still reaches what lies before it.
void quantize_inputs(Linear& linear, const QuantizationArgs& args, const QParams& qparams);

}  // namespace calibench
