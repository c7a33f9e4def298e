#pragma once

#include <filesystem>
#include <string>

#include <ATen/ATen.h>

#include "tests/core/analysis/edited_model.h"

namespace calibench::testing {

// Faults in the demo (tiny-llama-shakespeare), as they come about in practice, for the tests and for the pictures of them.

/// In an export in groups of 64: one group of block 2's up_proj has a scale a thousand times too large.
inline void plant_large_scale(const std::filesystem::path& exported) {
    const std::string name = "model.layers.2.mlp.up_proj.weight_scale";
    at::Tensor scale = stored_tensor(exported, name).clone();
    scale[300][1] = 1000 * scale.to(at::kFloat).abs().median();
    replace_tensor(exported, name, scale);
}

/// In an export: a tensor of which nothing is left but one number. Packed levels of 4 bits that are all zero: 0x88888888.
inline void plant_constant_tensor(const std::filesystem::path& exported, const std::string& name, int64_t value) {
    replace_tensor(exported, name, at::full_like(stored_tensor(exported, name), value));
}

/// In the model itself: what one neuron of block 2 says is a thousand times louder, and is listened to a thousand times less, so that
/// the model computes the same.
inline void plant_loud_neuron(const std::filesystem::path& model) {
    const std::string mlp = "model.layers.2.mlp.";
    at::Tensor up = stored_tensor(model, mlp + "up_proj.weight").clone(), down = stored_tensor(model, mlp + "down_proj.weight").clone();
    up[300].mul_(1000);
    down.select(1, 300).div_(1000);
    replace_tensor(model, mlp + "up_proj.weight", up);
    replace_tensor(model, mlp + "down_proj.weight", down);
}

}  // namespace calibench::testing
