#pragma once

#include <string>

#include <ATen/core/Tensor.h>

#include "core/quantization/quantization_args.h"

namespace calibench {

/// Arranges a tensor so that every qparam sees its own values: (num_observations, *qparam_shape, group_size); min and max
/// then reduce over the first and the last dimension (llmcompressor/observers/helpers.py). A view wherever the layout allows.
///
/// base_name: weight [rows, columns] | input, output [batch, seq, hidden] | q, k, v [batch, heads, seq, head_dim].
/// g_idx [columns] (weights with a group strategy): columns are first put in the stable order of g_idx; ignored when it holds -1.
/// Ragged blocks are zero-padded. Throws InputError with the reference's sentence for a strategy that the base name does not
/// allow and for a group size that does not divide.
[[nodiscard]] at::Tensor flatten_for_calibration(const at::Tensor& value, const std::string& base_name,
                                                 const QuantizationArgs& args, const at::Tensor& g_idx = {});

}  // namespace calibench
