#pragma once

#include "core/calibration/run_config.h"

namespace calibench {

/// What a run would take over of the one in config.reuse, known before it starts.
struct ReusePreview {
    int64_t num_blocks = 0;   ///< the first so many
    int64_t all_blocks = 0;   ///< of the model
    std::string end;          ///< why there are no more: "model.layers.12: another scheme for q_proj"; empty when all are taken over
};

/// Throws InputError as run_calibration() does for what it would not begin with; writes nothing.
[[nodiscard]] ReusePreview preview_reuse(RunConfig config);

}  // namespace calibench
