#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace calibench {

// What happens in a run, in order. One stream, three readers: the command line's progress bar, the run directory's journal
// (events.jsonl), the window. Plain values only: no tensor leaves core.

/// Which tensor of a module a number speaks of.
enum class Tap { Weight, Input, Output };

struct RunStarted {
    std::string model;              ///< directory name
    std::string architecture;
    int64_t num_blocks = 0;
    int64_t num_quantized_modules = 0;
    int64_t num_samples = 0;
    int64_t seq_len = 0;
    int64_t iters = 0;              ///< 0: no tuning
    std::string device;
    std::string dtype;
    int threads = 0;
    int64_t first_block = 0;        ///< blocks before it were done by an earlier part of this run
    int64_t batch_size = 0;         ///< samples in one iteration
    int64_t reused_blocks = 0;      ///< the first blocks are taken over from another run, and told of again
    std::string reuse_end;          ///< why no more of them are: "model.layers.12: another scheme for q_proj"
};

struct BlockStarted {
    int64_t block = 0;
    std::string name;               ///< "model.layers.3"
};

/// Range of a module's weight or of its inputs so far. The percentiles are of the values, not of the groups.
struct RangeObserved {
    int64_t block = -1;
    std::string module;
    Tap tap = Tap::Weight;
    double min = 0, max = 0;
    double p001 = 0, p999 = 0;      ///< 0.1 % and 99.9 % percentiles
};

struct TokensCounted {
    int64_t block = -1;
    std::string module;
    int64_t expert = -1;            ///< -1: not an expert's module
    int64_t tokens = 0;             ///< so far
};

/// Loss of one AutoRound iteration, before its step.
struct LossRecorded {
    int64_t block = 0;              ///< the first of those tuned together; -1: the head
    int64_t iteration = 0;
    double loss_mse = 0;            ///< with enable_lfq the last block's cross-entropy
    bool best = false;              ///< strictly lower than all before in this attempt
    int64_t attempt = 0;            ///< counts up when the user has the block tuned again
};

/// The user had the block at work begun again, with other settings.
struct BlockRedone {
    int64_t block = 0;
    int64_t attempt = 0;            ///< number of the new one
    int64_t iters = 0;
    double lr = 0;
    std::string changes;            ///< "iters 200 -> 400, scheme of 7 modules": for people
};

/// From here on the run follows another recipe: a scheme was changed for the block at work.
struct RecipeChanged {
    std::string recipe_yaml;
};

/// What became of one module.
struct ModuleQuantized {
    int64_t block = -1;
    std::string module;
    std::string scheme;             ///< "W4 g64 sym"; empty: it stays as it is after all, another attempt was kept
    double weight_sqnr_db = 0;      ///< 10 log10(sum W^2 / sum (W - Wq)^2)
};

/// Where the error of a module's output comes from, on the first samples, each in dB against y = W x of the float model; infinite where
/// nothing is lost. Rounded inputs are part of xq.
struct OutputErrorMeasured {
    int64_t block = 0;
    std::string module;
    double output_sqnr_db = 0;      ///< of Wq xq: all of it
    double local_sqnr_db = 0;       ///< of Wq x: this module's rounding alone
    double inherited_sqnr_db = 0;   ///< of W xq: what the modules before it did, and the rounding of its inputs
};

struct BlockFinished {
    int64_t block = 0;
    double initial_loss_mse = 0;    ///< of round to nearest (iteration 0)
    double best_loss_mse = 0;
    int64_t best_iteration = 0;
    double seconds = 0;
    int64_t attempts = 1;
    int64_t kept_attempt = 0;       ///< the losses above are its own
};

/// Position in the whole run; `fraction` never falls.
struct Progress {
    int64_t block = 0;
    int64_t num_blocks = 0;
    int64_t iteration = 0;          ///< within the block's tuning; 0 outside of it
    int64_t iters = 0;
    std::string stage;              ///< "calibrating", "tuning", "exporting", ...
    double fraction = 0;            ///< 0 .. 1
    double elapsed_seconds = 0;
    std::optional<double> remaining_seconds;  ///< unset until there is something to go by
};

struct Warning {
    enum class Kind { General, NotFinite, Plateau, ClippedRange, Outliers, StarvedExpert };
    std::string module;             ///< or block, "model.layers.3"; empty: the run as a whole
    std::string message;            ///< one sentence: what, and what to do
    Kind kind = Kind::General;
};

struct Paused {};
struct Resumed {};

struct RunSummary {
    double seconds = 0;
    int64_t num_quantized_modules = 0;
    int64_t output_bytes = 0;
    double mean_initial_loss_mse = 0;
    double mean_best_loss_mse = 0;
    std::filesystem::path output_dir;
    std::filesystem::path run_dir;
};

struct RunFinished { RunSummary summary; };
struct RunStopped { int64_t blocks_done = 0; };
struct RunFailed { std::string message; };

/// A run ends with exactly one of RunFinished, RunStopped, RunFailed.
using RunEvent = std::variant<RunStarted, BlockStarted, RangeObserved, TokensCounted, LossRecorded, ModuleQuantized, OutputErrorMeasured,
                              BlockFinished, Progress, Warning, BlockRedone, RecipeChanged, Paused, Resumed, RunFinished, RunStopped, RunFailed>;

/// {"event": "loss", "block": 3, ...}: one line of events.jsonl.
[[nodiscard]] nlohmann::json to_json(const RunEvent& event);
/// Inverse of to_json. Throws InputError for an unknown event.
[[nodiscard]] RunEvent run_event_from_json(const nlohmann::json& line);

/// Receives the events on the run's own thread; must be quick and must not throw.
class RunListener {
public:
    virtual ~RunListener() = default;
    virtual void on_event(const RunEvent& event) = 0;
    /// Whether anybody looks at ranges, token counts and errors of outputs. Without, and without a run directory, the run need not find them.
    [[nodiscard]] virtual bool wants_details() const { return true; }
};

}  // namespace calibench
