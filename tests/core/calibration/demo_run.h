#pragma once

#include <filesystem>
#include <string>

#include "core/base/text.h"
#include "core/calibration/run_config.h"

namespace calibench::testing {

// Runs on the demo models, and recipes short enough for a test's argument.

inline const std::filesystem::path demo = std::filesystem::path(CALIBENCH_RESOURCES) / "demo";
inline const std::filesystem::path llama = demo / "tiny-llama-shakespeare", moe = demo / "tiny-qwen3-moe-shakespeare";

/// Of one modifier, in flow style: "QuantizationModifier: {...}".
inline std::string recipe_of(const std::string& modifier) { return concat("quant_stage:\n  quant_modifiers:\n    ", modifier, "\n"); }

/// On one thread of the CPU in float32, where results are the same bits everywhere. Samples are Shakespeare's.
inline RunConfig demo_run(const std::filesystem::path& model, const std::string& recipe_yaml, const std::filesystem::path& output_dir) {
    RunConfig config;
    config.model_dir = model;
    config.dataset = demo / "shakespeare.txt";
    config.recipe_yaml = recipe_yaml;
    config.output_dir = output_dir;
    config.num_samples = 4;
    config.seq_len = 40;
    config.device = "cpu";
    config.dtype = "float32";
    config.threads = 1;
    return config;
}

}  // namespace calibench::testing
