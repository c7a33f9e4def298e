#pragma once

#include <string>

#include "core/recipe/diagnostics.h"

namespace calibench {

/// The YAML of a Markdown recipe card between its two `---` or `+++` lines; other text as it is. What is no YAML is blanked, so that
/// every byte of the rest stays at its offset and line.
[[nodiscard]] std::string front_matter(const std::string& text, Diagnostics& diagnostics);

}  // namespace calibench
