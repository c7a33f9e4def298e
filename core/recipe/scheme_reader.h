#pragma once

#include <optional>
#include <string>

#include "core/recipe/yaml_tree.h"

namespace calibench {

/// QuantizationArgs from their YAML map; what core/quantization refuses is reported at the key it is about.
[[nodiscard]] std::optional<QuantizationArgs> read_quantization_args(const YamlEntry& entry, const std::string& owner,
                                                                     Diagnostics& diagnostics);

/// One entry of config_groups. `target_positions` gets the place of every target.
[[nodiscard]] std::optional<QuantizationScheme> read_config_group(const YamlEntry& entry, std::vector<SourcePosition>& target_positions,
                                                                  Diagnostics& diagnostics);

/// The scheme of a preset, or an error at `where` with the nearest name.
[[nodiscard]] std::optional<QuantizationScheme> read_preset(const std::string& name, SourcePosition where,
                                                            std::vector<std::string> targets, Diagnostics& diagnostics);

}  // namespace calibench
