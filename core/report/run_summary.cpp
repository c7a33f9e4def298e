#include "core/report/run_summary.h"

#include <cmath>

#include "core/base/text.h"
#include "core/report/axis_map.h"
#include "core/report/markup.h"

namespace calibench {
namespace {

std::string count(int64_t value) { return value > 0 ? concat(value) : std::string(); }

std::string loss_of(const RunFacts& run) {
    if (!(run.mean_initial_loss_mse > 0)) return {};
    if (run.started.iters == 0) return with_digits(run.mean_best_loss_mse, 4);
    return concat(with_digits(run.mean_initial_loss_mse, 4), " → ", with_digits(run.mean_best_loss_mse, 4), " (",
                  decimal(100 * (run.mean_best_loss_mse / run.mean_initial_loss_mse - 1), 1), " %)");
}

std::string perplexity_of(const RunNotes& notes) {
    if (!notes.perplexity) return {};
    const PerplexityNote& note = *notes.perplexity;
    std::string text = decimal(note.quantized, 3);
    if (note.original > 0) text += concat(", of the original ", decimal(note.original, 3), " (", note.quantized >= note.original ? "+" : "", decimal(100 * (note.quantized / note.original - 1), 2), " %)");
    return concat(text, ", on ", note.text.filename().string());
}

}  // namespace

std::string title_of(const ReportedRun& run) {
    if (!run.notes.title.empty()) return run.notes.title;
    const std::filesystem::path& dir = run.facts.run_dir;
    const std::string name = dir.filename() == "run" ? dir.parent_path().filename().string() : dir.filename().string();  // where the window keeps its runs
    return name.empty() ? run.facts.started.model : name;
}

std::string ending_of(const RunFacts& run) {
    const std::string blocks = concat(run.blocks_done, " of ", run.started.num_blocks, " blocks");
    switch (run.ending) {
        case StoredRun::Ending::Finished: return "Finished";
        case StoredRun::Ending::Stopped: return concat("Stopped after ", blocks);
        case StoredRun::Ending::Failed: return concat("Failed after ", blocks, run.failure.empty() ? "" : ": ", run.failure);
        case StoredRun::Ending::Interrupted: break;
    }
    return concat(run.at_work ? "At work, " : "Broken off, ", blocks, " done");
}

Lines settings_of(const RunFacts& run) {
    const RunConfig& config = run.config;
    return {{"Model", config.model_dir.string()},
            {"Architecture", run.started.architecture},
            {"Calibration text", config.dataset.string()},
            {"Samples", config.dataset.empty() ? std::string() : concat(run.started.num_samples, " of ", run.started.seq_len, " tokens")},
            {"Schemes", run.schemes},
            {"Iterations", run.started.iters > 0 ? concat(run.started.iters) : "none: rounded to nearest"},
            {"Batch size", count(run.started.batch_size)},
            {"Effort", run.effort},
            {"Seed", concat(config.seed)},
            {"Computed in", run.started.dtype},
            {"Device", run.started.device},
            {"Threads", count(run.started.threads)},
            {"Blocks taken over", run.started.reused_blocks > 0 ? concat(run.started.reused_blocks, " from ", config.reuse.string()) : std::string()}};
}

Lines results_of(const ReportedRun& run) {
    const RunFacts& facts = run.facts;
    return {{"Ended", ending_of(facts)},
            {"Modules quantized", count(facts.started.num_quantized_modules)},
            {"Mean loss, round to nearest → best", loss_of(facts)},
            {"Perplexity", perplexity_of(run.notes)},
            {"Size of the export", facts.output_bytes > 0 ? concat(format_bytes(static_cast<double>(facts.output_bytes)), " (", facts.output_bytes, " bytes)") : std::string()},
            {"Time", format_duration(facts.seconds)},
            {"Warnings", concat(facts.warnings.size())}};
}

}  // namespace calibench
