#pragma once

#include <string>
#include <vector>

#include "core/recipe/diagnostics.h"

namespace calibench {

// What stands against carrying out a recipe, found before any work. A recipe without errors here can be run and exported.

/// Why AutoRound's tuner cannot learn this weight's rounding; empty when it can (tune_block).
[[nodiscard]] std::string tuning_obstacle(const QuantizationArgs& weights);

/// One config group, whatever the model: weights that AutoRound cannot tune, an unknown observer, scales that nothing can store.
void check_config_group(const Modifier& modifier, const std::string& name, const QuantizationScheme& scheme, Diagnostics& diagnostics);

/// Group sizes must divide the columns of every module that the config group quantizes; the message names sizes that do.
void check_group_size(const Modifier& modifier, const std::string& name, const QuantizationScheme& scheme, const ModelSummary& model,
                      const std::vector<const ModuleInfo*>& modules, Diagnostics& diagnostics);

/// An Embedding looks token ids up: it has no activations to round.
void check_embeddings(const Modifier& modifier, const std::string& name, const QuantizationScheme& scheme, const ModelSummary& model,
                      const std::vector<const ModuleInfo*>& modules, Diagnostics& diagnostics);

/// Keys and values have one scale, or one for every head.
void check_kv_cache(const Modifier& modifier, Diagnostics& diagnostics);

/// Fused projections share one global scale (strategy tensor_group), so either all of them are quantized that way or none is.
void check_fused_groups(const Recipe& recipe, const ResolvedRecipe& resolved, const ModelSummary& model, Diagnostics& diagnostics);

}  // namespace calibench
