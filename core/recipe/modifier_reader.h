#pragma once

#include <optional>
#include <string>

#include "core/recipe/yaml_tree.h"

namespace calibench {

/// One `ClassName: {args}` of a modifier group. Empty after an error.
[[nodiscard]] std::optional<Modifier> read_modifier(const YamlEntry& entry, const std::string& group, Diagnostics& diagnostics);

/// QuantizationMixin._apply_observer_overrides: the modifier's weight_observer, input_observer and output_observer, else what a
/// group names itself, else the default.
void apply_observers(const Modifier& modifier, QuantizationScheme& scheme);

}  // namespace calibench
