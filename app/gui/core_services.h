#pragma once

#include "ui/core_services.h"

namespace calibench {

/// The real core behind the window.
[[nodiscard]] CoreServices coreServices();

}  // namespace calibench
