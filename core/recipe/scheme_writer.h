#pragma once

#include <nlohmann/json.hpp>

#include "core/recipe/recipe.h"

namespace calibench {

/// One entry of a modifier's config_groups, as short as it can be: without what follows from the rest or from the modifier's observers.
[[nodiscard]] nlohmann::ordered_json write_config_group(const QuantizationScheme& scheme, const Modifier& modifier);
[[nodiscard]] nlohmann::ordered_json write_kv_cache_scheme(const Modifier& modifier);

}  // namespace calibench
