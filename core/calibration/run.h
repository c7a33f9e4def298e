#pragma once

#include "core/calibration/run_config.h"
#include "core/base/run_control.h"
#include "core/calibration/run_events.h"

namespace calibench {

/// Opens the model, resolves the recipe, walks the blocks, exports: the one function behind the window, the command line and the tests.
/// Every event, the final RunFinished / RunStopped / RunFailed included, goes to `listener` and into the run directory.
/// Throws InputError before any work when the input is at fault, RunError when the run fails, Cancelled when stopped;
/// each after its event was sent. On failure or cancel there is no output directory; the run directory stays readable.
RunSummary run_calibration(const RunConfig& config, RunListener& listener, RunControl& control);

}  // namespace calibench
