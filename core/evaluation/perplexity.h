#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>

#include "core/base/run_control.h"

namespace calibench {

struct PerplexityOptions {
    std::filesystem::path model_dir;
    std::filesystem::path text;
    int64_t seq_len = 512;
    int64_t max_tokens = 16384;  ///< 0: the whole text
    std::string device = "auto";
    std::string dtype = "float32";
    int threads = 0;
};

struct Perplexity {
    int64_t windows = 0;
    int64_t seq_len = 0;
    double nll = 0;         ///< mean over windows of the mean over the seq_len - 1 predictions of each
    double perplexity = 0;  ///< exp(nll)
};

/// Windows of seq_len tokens in order, no overlap; block by block over all windows, so that memory follows one block.
[[nodiscard]] Perplexity evaluate_perplexity(const PerplexityOptions& options, RunControl& control,
                                             const std::function<void(double fraction)>& on_progress = {});

}  // namespace calibench
