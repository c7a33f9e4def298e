#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/autoround/auto_round_options.h"
#include "core/calibration/activation_cache.h"
#include "core/calibration/run_config.h"
#include "core/calibration/run_events.h"
#include "core/checkpoint/checkpoint_writer.h"
#include "core/data/calibration_set.h"
#include "core/models/causal_lm.h"
#include "core/models/model_summary.h"
#include "core/recipe/recipe.h"

namespace calibench {

class EarlierRun;

/// What is to be done with one Linear or Embedding.
struct ModulePlan {
    QuantizationScheme scheme;
    CompressionFormat format = CompressionFormat::Dense;
    std::optional<size_t> tuning;  ///< index into RunPlan::tunings; unset: round to nearest
    int64_t expert = -1;
    bool opt_rtn = false;  ///< rounded to nearest by opt_rtn(), not by what an observer finds
    bool weighs_inputs = false;  ///< for opt_rtn(), or for SignRoundV2's start
};

/// Decoder blocks that are calibrated together: one, or nblocks of them.
struct BlockRange {
    int64_t first = 0;
    int64_t count = 1;

    [[nodiscard]] int64_t end() const { return first + count; }
    [[nodiscard]] bool contains(int64_t block) const { return block >= first && block < end(); }
};

/// By module name; std::map, so that every walk over it has one order.
using ModulePlans = std::map<std::string, ModulePlan>;

/// Everything a run needs, found to be in order before any work starts.
struct RunPlan {
    RunConfig config;
    ModelSummary summary;
    Recipe recipe;                      ///< with the overrides of `config`
    std::unique_ptr<CausalLm> model;
    CalibrationSet samples;
    int64_t batch_size = 4;             ///< samples in one forward pass; more of them only leave the processor's cache

    std::vector<ModulePlans> blocks;    ///< per decoder block
    std::optional<ModulePlan> embedding, head;
    std::optional<QuantizationArgs> kv_cache;  ///< of the keys and values of every block
    bool unties_embeddings = false;     ///< the source shares one weight, the export does not
    std::vector<AutoRoundOptions> tunings;
    int64_t nblocks = 1;                ///< blocks calibrated together
    std::map<std::string, int64_t> expert_of;  ///< modules of experts, quantized or not
    std::map<std::string, int64_t> block_of;   ///< all modules of blocks

    nlohmann::json quantization_config;
    std::unique_ptr<CheckpointWriter> writer;  ///< null: calibrate without export
    std::unique_ptr<ActivationCache> activations;  ///< X, Xq and Y
    std::vector<std::string> warnings;
    std::vector<BlockFinished> done;           ///< the first blocks, finished by an earlier part of this run, or by `reused`
    std::shared_ptr<const EarlierRun> reused;  ///< null: none

    /// Weights are rounded to nearest and nothing passes through the model.
    [[nodiscard]] bool without_samples() const { return config.dataset.empty(); }
    [[nodiscard]] int64_t num_quantized_modules() const;
    /// All blocks, in order.
    [[nodiscard]] std::vector<BlockRange> ranges() const;
    /// Forgets those of `done` that are calibrated together with one that is not.
    void cut_done_to_ranges();
    /// The head is the embedding again, and stored with it.
    [[nodiscard]] bool head_is_embedding() const { return head && embedding && summary.tied_embeddings && !unties_embeddings; }
    [[nodiscard]] int64_t max_iters() const;
};

/// Puts the iterations and the batch size of `config`, where it has any, in the place of the recipe's.
void apply_overrides(Recipe& recipe, const RunConfig& config);

/// What AutoRound is to do with the modules of `modifier`; unset: they are rounded to nearest.
[[nodiscard]] std::optional<AutoRoundOptions> tuning_of(const Modifier& modifier, const RunPlan& plan);
/// What `modifier` has in store for a module that it resolved to; `tuning`: index of the modifier's own options, if it tunes.
[[nodiscard]] ModulePlan plan_module(const Modifier& modifier, const ResolvedModule& module, const ModuleInfo& where, std::optional<size_t> tuning);
/// What config.json of the export says of its modules: distinct schemes in model order, named as the reference names them.
[[nodiscard]] nlohmann::json quantization_config_of(const ResolvedRecipe& resolved, const ModelSummary& model);

/// Opens and checks model, recipe, dataset and output. Throws InputError with everything that is wrong, a sentence a line.
[[nodiscard]] RunPlan prepare_run(const RunConfig& config);

}  // namespace calibench
