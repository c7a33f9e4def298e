#pragma once

#include <QString>

#include <filesystem>

namespace calibench {

/// What a run is called after its directory, also where that is the "run" in a folder of the workspace; empty for no directory.
[[nodiscard]] QString runName(const std::filesystem::path& runDir);

}  // namespace calibench
