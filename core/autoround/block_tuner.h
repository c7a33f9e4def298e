#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "core/autoround/auto_round_options.h"
#include "core/autoround/tunable_inputs.h"
#include "core/autoround/tuning_loss.h"
#include "core/base/run_control.h"
#include "core/checkpoint/compressor.h"
#include "core/models/causal_lm.h"

namespace calibench {

/// What tuning found for one Linear.
struct TunedWeight {
    at::Tensor quantized;  ///< [out, in], as compress_quantized_linear takes it: int8, float8, or float4's levels in float32
    QParams qparams;       ///< scale in the checkpoint's dtype; asymmetric zero_point = zp - 2^(bits-1), int8
    at::Tensor v;          ///< the best iterate's parameters: [out, in],
    at::Tensor min_scale, max_scale;  ///< one per group, row by row; [block rows, block columns] of tiles
};

struct TuningResult {
    std::vector<double> loss_mse;  ///< per iteration, before its step; of next_tokens the cross-entropy
    int64_t best_iteration = 0;    ///< whose parameters were kept: of the least loss, or the last with not_use_best_mse
    double best_loss_mse = 0;
    std::map<std::string, TunedWeight> weights;  ///< by module name
    std::map<std::string, double> input_factors;  ///< by module name, of the scales in BlockSamples::static_inputs
};

/// Inputs and float outputs of one block over the calibration set, sample by sample.
struct BlockSamples {
    at::Tensor inputs;    ///< [samples, seq, hidden]: Xq, from the quantized previous blocks
    at::Tensor outputs;   ///< [samples, seq, hidden]: Y, of the float block on float inputs
    at::Tensor attention_mask;  ///< [samples, seq] or undefined
    at::Tensor loss_mask = {};  ///< [samples, seq], 0 where a position says nothing (loss_mask.h); undefined: attention_mask
    std::map<std::string, at::Tensor> imatrix = {};  ///< by module, mean square of each input: for enable_alg_ext
    std::map<std::string, StaticInput> static_inputs = {};  ///< by module, ranges to be tuned with the weights
    std::optional<NextTokens> next_tokens = {};      ///< judged by these, not by the outputs
    /// Where outputs are too large to keep: those of the samples with these indices. `outputs` is undefined then.
    std::function<at::Tensor(const at::Tensor& samples)> make_outputs = {};
};

/// With effort quick, error feedback gives levels so fine that steps from there teach the block the samples, not the language:
/// integers of 4 bits and more.
[[nodiscard]] bool is_fine(const QuantizationArgs& weights);

/// Tunes one decoder block by signed gradient descent on its outputs' error and keeps the best iterate (auto_round
/// SignRoundQuantizer.quantize_block). `schemes` names the Linears to tune and how: integers of 2 to 8 bits per tensor, channel or
/// group, FP8 also per block, NVFP4, MXFP4 and MXFP8. Activations are rounded where the block's Linears do so (transform_input).
/// With effort quick integers begin by error feedback (error_feedback.h), and where all are fine, tuning ends at once: its
/// one iteration tells the loss. Needs options.iters > 0; rounding to nearest is the caller's. The block is left with what the
/// checkpoint will hold: dequantized levels and scales. Throws InputError for a scheme it cannot tune, RunError naming the block (and the module where it is one)
/// when a loss is not finite, Cancelled through `control`; the block then has its float weights back.
/// `go_on` is asked before each step and each further iteration; false ends the tuning with the best iterate so far.
[[nodiscard]] TuningResult tune_block(DecoderBlock& block, const BlockSamples& samples,
                                      const std::map<std::string, QuantizationArgs>& schemes, const AutoRoundOptions& options,
                                      RunControl& control,
                                      const std::function<void(int64_t iteration, double loss_mse, bool best)>& on_iteration = {},
                                      const std::function<bool()>& go_on = {});

}  // namespace calibench
