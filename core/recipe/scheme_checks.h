#pragma once

#include <string>
#include <vector>

#include "core/recipe/diagnostics.h"

namespace calibench {

/// What stands against running one config group in this build, whatever the model: a tuner for integers only, an unknown observer.
void check_config_group(const Modifier& modifier, const std::string& name, const QuantizationScheme& scheme, Diagnostics& diagnostics);

/// Group sizes must divide the columns of every module that the config group quantizes; the message names sizes that do.
void check_group_size(const Modifier& modifier, const std::string& name, const QuantizationScheme& scheme,
                      const std::vector<const ModuleInfo*>& modules, Diagnostics& diagnostics);

}  // namespace calibench
