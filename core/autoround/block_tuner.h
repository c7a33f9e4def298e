#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "core/autoround/auto_round_options.h"
#include "core/base/run_control.h"
#include "core/checkpoint/compressor.h"
#include "core/models/causal_lm.h"

namespace calibench {

/// What tuning found for one Linear.
struct TunedWeight {
    at::Tensor quantized;  ///< int8 [out, in], compressed-tensors' signed integers
    QParams qparams;       ///< scale in the checkpoint's dtype; asymmetric zero_point = zp - 2^(bits-1)
    at::Tensor v, min_scale, max_scale;  ///< the best iterate's parameters
};

struct TuningResult {
    std::vector<double> loss_mse;  ///< per iteration, before its step
    int64_t best_iteration = 0;
    double best_loss_mse = 0;
    std::map<std::string, TunedWeight> weights;  ///< by module name
};

/// Inputs and float outputs of one block over the calibration set, sample by sample.
struct BlockSamples {
    at::Tensor inputs;    ///< [samples, seq, hidden]: Xq, from the quantized previous blocks
    at::Tensor outputs;   ///< [samples, seq, hidden]: Y, of the float block on float inputs
    at::Tensor attention_mask;  ///< [samples, seq] or undefined
};

/// Tunes one decoder block by signed gradient descent on its output MSE and keeps the best iterate (method.md of the reference:
/// auto_round SignRoundQuantizer.quantize_block). `schemes` names the Linears to tune. The block is left with its dequantized best weights.
/// Throws RunError naming block and module when a loss is not finite, Cancelled through `control`.
[[nodiscard]] TuningResult tune_block(DecoderBlock& block, const BlockSamples& samples,
                                      const std::map<std::string, QuantizationArgs>& schemes, const AutoRoundOptions& options,
                                      RunControl& control,
                                      const std::function<void(int64_t iteration, double loss_mse, bool best)>& on_iteration = {});

}  // namespace calibench
