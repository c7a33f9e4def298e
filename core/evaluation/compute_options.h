#pragma once

#include <string>

#include "core/models/causal_lm.h"

namespace calibench {

/// Where and in what to compute, from a person's words. device: auto | cpu | cuda | cuda:N (auto: CUDA when there is a GPU).
/// dtype: auto | float32 | bfloat16; auto is bfloat16 for a bfloat16 model where the hardware multiplies it natively, which is
/// then several times faster, and float32 otherwise. Throws InputError for anything else, and for a GPU that is not there.
[[nodiscard]] ComputeOptions choose_compute(const std::string& device, const std::string& dtype, DType model_dtype);

[[nodiscard]] std::string device_name(const at::Device& device);      ///< "cpu", "cuda:0"
[[nodiscard]] std::string dtype_name(at::ScalarType dtype);           ///< "float32", "bfloat16"

}  // namespace calibench
