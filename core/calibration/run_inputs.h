#pragma once

#include <nlohmann/json_fwd.hpp>

#include "core/calibration/run_config.h"

namespace calibench {

/// A path that means the same from any folder; an empty one stays empty.
[[nodiscard]] std::filesystem::path whole_path(const std::filesystem::path& path);

/// Size and time of change of every file that a run reads: its dataset, and what its model directory holds. By absolute path.
[[nodiscard]] nlohmann::json stamp_inputs(const RunConfig& config);

/// Throws InputError, naming the files, when one is not what it was when `stamps` were taken.
void require_unchanged_inputs(const nlohmann::json& stamps);

}  // namespace calibench
