#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace calibench {

/// What the rates do over the iterations. auto-round's lr_scheduler takes a Python object; as of 0.15 it is copied away from its
/// optimizer, so any of them amounts to Constant.
enum class LrScheduler { Linear, Constant };

/// What a budget of iterations buys. Exact: as many steps of the algorithm as published. Quick: about their quality by half the steps at
/// most, from a better start (core/autoround/error_feedback.h); auto-round has no such thing.
enum class Effort { Exact, Quick };
[[nodiscard]] std::string to_string(Effort effort);
/// Throws InputError naming those that there are.
[[nodiscard]] Effort effort_from_string(const std::string& name);

/// auto-round's options, under its names, that llm-compressor's modifier lacks: a recipe has them in its `calibench:` section.
struct AutoRoundKnobs {
    Effort effort = Effort::Exact;
    std::optional<double> minmax_lr;  ///< unset: lr
    LrScheduler lr_scheduler = LrScheduler::Linear;
    double momentum = 0;
    int64_t gradient_accumulate_steps = 1;  ///< batches per step
    bool enable_minmax_tuning = true;
    bool enable_quanted_input = true;
    bool not_use_best_mse = false;  ///< keep the last iterate, not the best
    int64_t dynamic_max_gap = -1;   ///< above 0: end after so many iterations without a new best
    int64_t nblocks = 1;            ///< blocks tuned together, on the outputs of the last of them
    bool enable_alg_ext = false;    ///< SignRoundV2
    bool enable_lfq = false;        ///< the last block is tuned on the cross-entropy of the next token

    /// Steps that are made where `iters` are asked for.
    [[nodiscard]] int64_t steps(int64_t iters) const { return effort == Effort::Quick ? (iters + 1) / 2 : iters; }
    bool operator==(const AutoRoundKnobs&) const = default;
};

}  // namespace calibench
