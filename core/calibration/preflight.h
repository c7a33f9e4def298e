#pragma once

#include <vector>

#include "core/calibration/run_config.h"
#include "core/recipe/vllm_rules.h"

namespace calibench {

/// What a run would do and what would become of its checkpoint, known before any work. Reads headers and configuration only, and
/// times one matrix product.
struct PreflightReport {
    std::vector<Diagnostic> diagnostics;     ///< of the recipe, of the recipe on this model, and what vLLM would refuse
    std::vector<Diagnostic> serving;         ///< those of them that are vLLM's
    size_t num_quantized = 0;                ///< modules
    int64_t source_bytes = 0;
    int64_t compressed_bytes = 0;            ///< all tensors of the export
    double bits_per_quantized_weight = 0;    ///< scales and zero points included
    int64_t peak_memory_bytes = 0;           ///< an estimate: the largest block at work and the cached activations that are not in files
    double run_seconds = 0;                  ///< an estimate from this machine's matrix product

    [[nodiscard]] bool ok() const;           ///< no error among the diagnostics
};

/// Throws InputError when the model cannot be read; what is wrong in the recipe is in the report. `config` needs no dataset and no
/// output: only the model, the recipe's text, and the sizes matter.
[[nodiscard]] PreflightReport check_before_run(const RunConfig& config, const ServingOptions& serving = {});

[[nodiscard]] nlohmann::json to_json(const PreflightReport& report);

}  // namespace calibench
