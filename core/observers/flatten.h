#pragma once

#include <string>

#include <ATen/core/Tensor.h>

#include "core/quantization/quantization_args.h"

namespace calibench {

/// Arranges a tensor so that every qparam sees its own values: (num_observations, *qparam_shape, group_size); min and max
/// then reduce over the first and the last dimension. base_name: weight | input | output | q | k | v. method.md of the
/// reference: llmcompressor/observers/helpers.py. g_idx (weight, group strategies): columns first permuted by argsort.
/// Throws InputError with the reference's sentence for a strategy that the base name does not allow.
[[nodiscard]] at::Tensor flatten_for_calibration(const at::Tensor& value, const std::string& base_name,
                                                 const QuantizationArgs& args, const at::Tensor& g_idx = {});

}  // namespace calibench
