#pragma once

#include <QString>

namespace calibench {

/// The folder with demo/ and recipes/: $CALIBENCH_RESOURCES, else ../share/calibench beside the program (installed), else the
/// source tree that it was built from.
[[nodiscard]] QString resourceFolder();

}  // namespace calibench
