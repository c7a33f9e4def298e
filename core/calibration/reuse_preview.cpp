#include "core/calibration/reuse_preview.h"

#include "core/calibration/earlier_run.h"
#include "core/calibration/run_plan.h"

namespace calibench {

ReusePreview preview_reuse(RunConfig config) {
    const EarlierRun earlier(config.reuse);
    config.output_dir.clear();
    config.run_dir.clear();
    const RunPlan plan = prepare_run(config);
    EarlierRun::Agreement agreement = earlier.agreement_with(plan);
    return {.num_blocks = agreement.num_blocks, .all_blocks = plan.summary.num_blocks, .end = std::move(agreement.end)};
}

}  // namespace calibench
