#pragma once

#include <QString>

#include "core/report/run_notes.h"

namespace calibench {

// What is said of a run, in tables and comparisons.

[[nodiscard]] QString wordsOfEnding(const RunFacts& run);      ///< "finished", "stopped after 3 of 30 blocks", "failed: No room."
[[nodiscard]] QString wordsOfTuning(const RunFacts& run);      ///< "200 iterations", "50 iterations, quick", "to nearest"
[[nodiscard]] QString wordsOfSamples(const RunFacts& run);     ///< "128 × 512"
[[nodiscard]] QString wordsOfLoss(const RunFacts& run);        ///< "0.0312 → 0.0298 (-4.5 %)"; empty where nothing was tuned
[[nodiscard]] QString wordsOfPerplexity(const PerplexityNote& note);   ///< "12.3 (+0.41)", against the model's own
[[nodiscard]] QString detailOfPerplexity(const PerplexityNote& note);  ///< of which text, and all digits
[[nodiscard]] QString wordsOfTime(int64_t secondsSince1970);   ///< in the locale's short form

}  // namespace calibench
