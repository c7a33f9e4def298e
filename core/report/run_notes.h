#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "core/base/run_control.h"
#include "core/evaluation/perplexity.h"
#include "core/report/run_facts.h"

namespace calibench {

/// How well a run's export predicts a text, beside the model that it was made of.
struct PerplexityNote {
    std::filesystem::path text;
    int64_t text_bytes = 0;
    int64_t seq_len = 0, max_tokens = 0;  ///< as PerplexityOptions
    double quantized = 0, original = 0;

    bool operator==(const PerplexityNote&) const = default;
};

/// What people and later measurements add to a run.
struct RunNotes {
    std::string title, annotation;  ///< empty: none
    std::optional<PerplexityNote> perplexity;

    bool operator==(const RunNotes&) const = default;
};

/// notes.json of a run directory; empty notes where there is none. Throws InputError for a damaged one: the run itself is as readable as ever.
[[nodiscard]] RunNotes read_notes(const std::filesystem::path& run_dir);
/// Whole or not at all. Throws RunError.
void write_notes(const std::filesystem::path& run_dir, const RunNotes& notes);

/// Measures a run's export on `options.text`, and the model that it was made of, unless `known` answers the same question about that model.
/// `options.model_dir` is not looked at. Throws InputError for a run whose export is not there, and as evaluate_perplexity() does.
[[nodiscard]] PerplexityNote measure_perplexity(const RunFacts& run, PerplexityOptions options, const std::optional<PerplexityNote>& known,
                                                RunControl& control, const std::function<void(double fraction)>& on_progress = {});

}  // namespace calibench
