#include "core/base/text.h"
#include "core/report/run_report.h"

namespace calibench {

std::string command_line_of(const RunFacts& run) {
    const RunConfig& config = run.config;
    std::string line = "calibench-cli run";
    const auto add = [&line](const char* option, const auto& value) { line += concat(" \\\n    --", option, " ", shell_word(concat(value))); };
    add("model", config.model_dir.string());
    if (!config.dataset.empty()) add("dataset", config.dataset.string());
    add("recipe", (run.run_dir / "recipe.yaml").string());
    add("output", "quantized");
    if (!config.dataset.empty()) {
        add("num-samples", config.num_samples);
        add("seq-len", config.seq_len);
    }
    if (config.batch_size) add("batch-size", *config.batch_size);
    if (config.iters) add("iters", *config.iters);
    if (!config.effort.empty()) add("effort", config.effort);
    add("seed", config.seed);
    add("dtype", run.started.dtype.empty() ? config.dtype : run.started.dtype);
    add("device", run.started.device.empty() ? config.device : run.started.device);
    if (run.started.threads > 0) add("threads", run.started.threads);
    return line;
}

}  // namespace calibench
