#pragma once

#include <span>
#include <string>
#include <vector>

#include "core/observers/observer.h"

namespace calibench {

// Projections that vLLM runs as one matrix (qkv_proj, gate_up_proj, ...) share one global scale when their weights are quantized
// with strategy tensor_group, as in NVFP4 (llmcompressor/observers/helpers.py, fuse_weight_observers).

/// Last components of the module names that belong together, under one parent: (gate_proj, up_proj), (q_proj, k_proj, v_proj),
/// (q_a_proj, kv_a_proj_with_mqa), (w1, w3).
[[nodiscard]] const std::vector<std::vector<std::string>>& fused_layer_names();

/// The groups of which all members are among these modules, by full name.
[[nodiscard]] std::vector<std::vector<std::string>> find_fused_groups(std::span<const std::string> module_names);

/// Checks the groups among all of a model's (or a block's) modules against its weight observers, and returns the groups to
/// fuse. Throws InputError with the reference's sentence when only part of a group is quantized, or with another strategy.
[[nodiscard]] std::vector<std::vector<Observer*>> fused_weight_observers(std::span<const std::string> module_names,
                                                                         std::span<Observer* const> weight_observers);

/// Gives all observers the global scale that covers what any of them has seen. Throws RunError when one has seen nothing.
void share_global_scale(std::span<Observer* const> group);

}  // namespace calibench
