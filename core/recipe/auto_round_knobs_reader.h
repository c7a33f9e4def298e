#pragma once

#include "core/quantization/auto_round_knobs.h"
#include "core/recipe/yaml_tree.h"

namespace calibench {

/// Reads the recipe's `calibench:` section, a map. What auto-round can and this program cannot do is an error when asked for.
[[nodiscard]] AutoRoundKnobs read_auto_round_knobs(const YamlNode& section, Diagnostics& diagnostics);

}  // namespace calibench
