#include "core/calibration/continued_run.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/calibration/block_recipe.h"
#include "core/calibration/block_store.h"
#include "core/calibration/run_inputs.h"
#include "core/models/module_plan.h"

namespace calibench {
namespace {

std::string value_text(const std::optional<int64_t>& value) {
    return value ? std::to_string(*value) : "the recipe's";
}

std::string value_text(const std::string& value) {
    return value.empty() ? "the recipe's" : value;
}

std::string value_text(const std::filesystem::path& path) {
    return path.string();
}

template <class T>
std::string value_text(const T& value) {
    return concat(value);
}

/// What changes results, and is not what the run was begun with.
std::vector<std::string> differences(const ReopenedRun& stored, const RunConfig& requested) {
    std::vector<std::string> found;
    const auto compare = [&](const char* what, const auto& begun_with, const auto& asked_for) {
        if (begun_with != asked_for) found.push_back(concat(what, " ", value_text(asked_for), " instead of ", value_text(begun_with)));
    };
    const RunConfig& config = stored.run.config;
    compare("model", config.model_dir, whole_path(requested.model_dir));
    compare("dataset", config.dataset, whole_path(requested.dataset));
    compare("num_samples", config.num_samples, requested.num_samples);
    compare("seq_len", config.seq_len, requested.seq_len);
    compare("batch_size", config.batch_size, requested.batch_size);
    compare("iters", config.iters, requested.iters);
    compare("effort", config.effort, requested.effort);
    compare("seed", config.seed, requested.seed);
    compare("dtype", config.dtype, requested.dtype);
    if (std::find(stored.recipes.begin(), stored.recipes.end(), requested.recipe_yaml) == stored.recipes.end()) found.push_back("another recipe");
    return found;
}

bool agree(const ModulePlans& finished, const ModulePlans& planned) {
    return std::equal(finished.begin(), finished.end(), planned.begin(), planned.end(), [](const auto& a, const auto& b) {
        return a.first == b.first && same_scheme(a.second.scheme, b.second.scheme);
    });
}

}  // namespace

ContinuedRun continue_run(const RunConfig& requested) {
    if (requested.run_dir.empty()) throw InputError("A run can only go on from a run directory. Name the one that it was begun with.");
    ReopenedRun stored = RunDirectory::reopen(requested.run_dir);
    if (const auto found = differences(stored, requested); !found.empty())
        throw InputError(concat("The run in ", requested.run_dir.string(), " was begun for something else: ", list_names(found, found.size()),
                                ". Go on with what it was begun with, or start a new run."));

    ContinuedRun continued{std::move(stored.directory), stored.run.config, {}};
    continued.config.output_dir = requested.output_dir;
    continued.config.device = requested.device;
    continued.config.threads = requested.threads;
    continued.config.max_memory = requested.max_memory;
    continued.config.resume = true;
    continued.config.reuse.clear();  // what was taken over is this run's own by now, or done again
    continued.outcomes.resize(static_cast<size_t>(stored.run.blocks_done));
    for (const auto& event : stored.run.events) {
        // What "auto" meant then: another device must not change it.
        if (const auto* started = std::get_if<RunStarted>(&event)) continued.config.dtype = started->dtype;
        const auto* block = std::get_if<BlockFinished>(&event);
        if (block && block->block >= 0 && block->block < stored.run.blocks_done) continued.outcomes[static_cast<size_t>(block->block)] = *block;
    }
    return continued;
}

void take_over(RunPlan& plan, const std::vector<BlockFinished>& outcomes) {
    const BlockStore store(plan.config.run_dir);
    for (size_t block = 0; block < std::min(outcomes.size(), plan.blocks.size()); ++block) {
        if (!agree(store.read(block_name(static_cast<int64_t>(block))).modules, plan.blocks[block])) break;
        plan.done.push_back(outcomes[block]);
    }
    plan.cut_done_to_ranges();
}

}  // namespace calibench
