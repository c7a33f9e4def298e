#include "core/calibration/run.h"

#include <algorithm>
#include <new>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/base/warm_heap.h"
#include "core/calibration/block_store.h"
#include "core/calibration/calibration_pipeline.h"
#include "core/calibration/continued_run.h"
#include "core/calibration/earlier_run.h"
#include "core/calibration/run_plan.h"
#include "core/calibration/run_reporter.h"
#include "core/evaluation/compute_options.h"

namespace calibench {
namespace {

RunStarted describe_start(const RunPlan& plan) {
    const auto& options = plan.model->options();
    RunStarted started;
    const auto path = std::filesystem::absolute(plan.config.model_dir).lexically_normal();
    started.model = (path.has_filename() ? path : path.parent_path()).filename().string();
    started.architecture = plan.summary.architecture;
    started.num_blocks = plan.summary.num_blocks;
    started.num_quantized_modules = plan.num_quantized_modules();
    started.num_samples = plan.samples.num_samples;
    started.seq_len = plan.samples.seq_len;
    started.iters = plan.max_iters();
    started.device = device_name(options.device);
    started.dtype = dtype_name(options.dtype);
    started.threads = at::get_num_threads();
    started.first_block = plan.reused ? 0 : static_cast<int64_t>(plan.done.size());
    started.batch_size = std::min(plan.batch_size, plan.samples.num_samples);
    return started;
}

/// Takes over what an earlier run did just as this one would; returns why it is no more, a clause.
std::string reuse_blocks(RunPlan& plan) {
    const auto earlier = std::make_shared<const EarlierRun>(plan.config.reuse);
    const EarlierRun::Agreement agreement = earlier->agreement_with(plan);
    for (int64_t block = 0; block < agreement.num_blocks; ++block)
        plan.done.push_back(std::get<BlockFinished>(earlier->events_of(block).back()));
    plan.cut_done_to_ranges();
    if (!plan.done.empty()) plan.reused = earlier;
    return agreement.end;
}

RunSummary carry_out(const RunConfig& config, RunReporter& reporter) {
    if (config.threads > 0) at::set_num_threads(config.threads);
    std::optional<ContinuedRun> earlier;
    if (config.resume) earlier = continue_run(config);
    RunPlan plan = prepare_run(earlier ? earlier->config : config);
    std::string reuse_end;
    if (!plan.config.reuse.empty()) reuse_end = reuse_blocks(plan);
    if (earlier) {
        take_over(plan, earlier->outcomes);
        reporter.take_over(static_cast<int64_t>(plan.done.size()));
        reporter.journal_to(std::move(earlier->directory));
    } else if (!config.run_dir.empty()) {
        reporter.journal_to(std::make_unique<RunDirectory>(config.run_dir, config));
    }
    RunStarted started = describe_start(plan);
    if (plan.reused) started.reused_blocks = static_cast<int64_t>(plan.done.size());
    started.reuse_end = reuse_end;
    reporter.send(started);
    for (const auto& warning : plan.warnings) reporter.send(Warning{"", warning});
    return CalibrationPipeline(plan, reporter).run();
}

/// What a library threw, in a sentence; its own text only where nothing better is known, and never its backtrace.
RunError as_run_error(const std::exception& error) {
    std::string text = error.what();
    if (const auto* torch_error = dynamic_cast<const c10::Error*>(&error)) text = torch_error->what_without_backtrace();
    if (dynamic_cast<const std::bad_alloc*>(&error) || text.find("allocate memory") != std::string::npos || text.find("out of memory") != std::string::npos)
        return RunError("Memory ran out. Use a smaller batch size, fewer samples or shorter ones.");
    return RunError(concat("The run met a defect of Calibench, please report it: ", text.substr(0, text.find('\n'))));
}

}  // namespace

RunSummary run_calibration(const RunConfig& config, RunListener& listener, RunControl& control) {
    const WarmHeap heap;
    RunReporter reporter(listener, control);
    try {
        const RunSummary summary = carry_out(config, reporter);
        reporter.send_last(RunFinished{summary});
        if (!config.run_dir.empty()) BlockStore(config.run_dir).remove_all();
        return summary;
    } catch (const Cancelled&) {
        reporter.send_last(RunStopped{reporter.blocks_done()});
        throw;
    } catch (const Error& error) {
        reporter.send_last(RunFailed{error.what()});
        throw;
    } catch (const std::exception& error) {
        const RunError ours = as_run_error(error);
        reporter.send_last(RunFailed{ours.what()});
        throw ours;
    }
}

}  // namespace calibench
