#include "core/calibration/earlier_run.h"

#include <algorithm>
#include <set>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/calibration/block_recipe.h"
#include "core/calibration/run_inputs.h"
#include "core/evaluation/compute_options.h"
#include "core/models/module_plan.h"

namespace calibench {
namespace fs = std::filesystem;
namespace {

template <class Event>
const Event* last_event(const std::vector<RunEvent>& events) {
    const Event* last = nullptr;
    for (const auto& event : events)
        if (const auto* match = std::get_if<Event>(&event)) last = match;
    return last;
}

/// The export, unless something else lies in its place by now: it has the size that was told.
std::unique_ptr<Checkpoint> open_export(const StoredRun& run) {
    const auto* finished = last_event<RunFinished>(run.events);
    if (!finished || finished->summary.output_dir.empty()) return nullptr;
    try {
        auto checkpoint = std::make_unique<Checkpoint>(finished->summary.output_dir);
        int64_t bytes = 0;
        for (const auto& shard : checkpoint->shards())
            for (const auto& [name, entry] : shard.entries()) bytes += entry.num_bytes();
        if (bytes != finished->summary.output_bytes) return nullptr;
        return checkpoint;
    } catch (const InputError&) {
        return nullptr;
    }
}

bool same_module(const ModulePlan& a, const ModulePlan& b) {
    return same_scheme(a.scheme, b.scheme) && a.format == b.format && a.opt_rtn == b.opt_rtn;
}

bool same_module(const std::optional<ModulePlan>& a, const std::optional<ModulePlan>& b) {
    return a.has_value() == b.has_value() && (!a || same_module(*a, *b));
}

std::optional<AutoRoundOptions> tuning(const ModulePlan& module, const RunPlan& plan) {
    return module.tuning ? std::optional(plan.tunings[*module.tuning]) : std::nullopt;
}

/// "q_proj" of "model.layers.3.self_attn.q_proj".
std::string last_part(const std::string& name) {
    return name.substr(name.rfind('.') + 1);
}

/// The iterations that a block is tuned by, of all its tunings.
int64_t iterations_of(const ModulePlans& modules, const RunPlan& plan) {
    std::set<size_t> tunings;
    for (const auto& [name, module] : modules)
        if (module.tuning) tunings.insert(*module.tuning);
    int64_t iterations = 0;
    for (const size_t index : tunings) iterations += plan.tunings[index].iters;
    return iterations;
}

bool may_end_early(const ModulePlans& modules, const RunPlan& plan) {
    return std::any_of(modules.begin(), modules.end(), [&](const auto& entry) {
        return entry.second.tuning && plan.tunings[*entry.second.tuning].dynamic_max_gap > 0;
    });
}

}  // namespace

EarlierRun::EarlierRun(const fs::path& run_dir) : stored_(read_run(run_dir)) {
    require_inputs_of(run_dir);
    export_ = open_export(stored_);
}

std::string EarlierRun::difference_of_runs(const RunPlan& plan, const RunPlan& before) const {
    const auto* started = last_event<RunStarted>(stored_.events);
    if (!started) return "it never started";
    if (whole_path(plan.config.model_dir) != whole_path(before.config.model_dir)) return "another model";
    if (plan.samples.input_ids != before.samples.input_ids || plan.samples.seq_len != before.samples.seq_len) return "other samples";
    if (plan.config.seed != before.config.seed) return "another seed";
    const ComputeOptions& options = plan.model->options();
    if (device_name(options.device) != started->device) return "another device";
    if (dtype_name(options.dtype) != started->dtype) return "another dtype to compute in";
    if (plan.batch_size != before.batch_size) return "another batch size";
    if (plan.kv_cache != before.kv_cache) return "another scheme for the key/value cache";
    if (!same_module(plan.embedding, before.embedding)) return "another scheme for the embedding";
    return {};
}

std::string EarlierRun::difference_of_block(int64_t index, const RunPlan& plan, const RunPlan& before) const {
    const ModulePlans& now = plan.blocks[static_cast<size_t>(index)];
    const ModulePlans& then = before.blocks[static_cast<size_t>(index)];
    std::vector<std::string> schemes, settings;
    for (const auto& [name, module] : now) {
        const auto found = then.find(name);
        if (found == then.end() || !same_module(module, found->second)) schemes.push_back(last_part(name));
        else if (tuning(module, plan) != tuning(found->second, before)) settings.push_back(last_part(name));
    }
    for (const auto& [name, module] : then)
        if (!now.contains(name)) schemes.push_back(last_part(name));
    if (!schemes.empty()) return concat("another scheme for ", list_names(schemes));
    if (!settings.empty()) return concat("other settings to tune ", list_names(settings));

    // What somebody ordered for a block at work is in no recipe.
    const int64_t first = index - index % plan.nblocks;  // it speaks for those that are tuned with it
    int64_t losses = 0;
    bool finished = false;
    for (const auto& event : stored_.events) {
        if (const auto* redone = std::get_if<BlockRedone>(&event); redone && redone->block == first) return "it was tuned again by hand";
        if (const auto* loss = std::get_if<LossRecorded>(&event)) losses += loss->block == first ? 1 : 0;
        if (const auto* done = std::get_if<BlockFinished>(&event)) finished = finished || done->block == index;
    }
    if (!finished) return "it was not finished";
    if (losses < iterations_of(now, plan) && !may_end_early(now, plan)) return "its tuning was ended early";
    if (!export_ && !BlockStore(directory()).contains(block_name(index))) return "its tensors are kept no longer";
    return {};
}

EarlierRun::Agreement EarlierRun::agreement_with(const RunPlan& plan) const {
    RunConfig config = stored_.config;
    config.output_dir.clear();
    config.run_dir.clear();
    config.reuse.clear();
    const RunPlan before = prepare_run(config);
    Agreement agreement;
    agreement.end = difference_of_runs(plan, before);
    while (agreement.end.empty() && agreement.num_blocks < plan.summary.num_blocks) {
        agreement.end = difference_of_block(agreement.num_blocks, plan, before);
        if (agreement.end.empty()) ++agreement.num_blocks;
        else agreement.end = concat(block_name(agreement.num_blocks), ": ", agreement.end);
    }
    // Blocks that were tuned together are taken over together.
    if (agreement.num_blocks < plan.summary.num_blocks) agreement.num_blocks -= agreement.num_blocks % plan.nblocks;
    return agreement;
}

FinishedBlock EarlierRun::block(int64_t index, const RunPlan& plan) const {
    const std::string name = block_name(index);
    if (const BlockStore store(directory()); store.contains(name)) return store.read(name);
    const ModulePlans& modules = plan.blocks[static_cast<size_t>(index)];
    const Checkpoint& source = plan.model->checkpoint();
    const auto made_by_the_run = [&](const std::string& tensor) {
        if (tensor.rfind(name + ".", 0) != 0) return false;
        return !source.contains(tensor) || (tensor.ends_with(".weight") && modules.contains(tensor.substr(0, tensor.rfind('.'))));
    };
    FinishedBlock finished{{}, modules};
    for (const auto& shard : export_->shards()) {
        std::vector<std::pair<size_t, std::string>> places;  // a new export keeps the order of this one
        for (const auto& [tensor, entry] : shard.entries())
            if (made_by_the_run(tensor)) places.emplace_back(entry.begin, tensor);
        std::sort(places.begin(), places.end());
        for (const auto& [begin, tensor] : places) finished.tensors.push_back({tensor, shard.tensor(tensor)});
    }
    return finished;
}

std::vector<RunEvent> EarlierRun::events_of(int64_t index) const {
    const auto block_of = [](const auto& event) -> int64_t {
        if constexpr (requires { event.block; } && !std::is_same_v<std::decay_t<decltype(event)>, Progress>) return event.block;
        return -1;
    };
    std::vector<RunEvent> events;
    for (const auto& event : stored_.events) {
        if (std::visit(block_of, event) != index) continue;
        if (std::holds_alternative<BlockStarted>(event)) events.clear();  // what a stopped part of the run left unfinished
        events.push_back(event);
        if (std::holds_alternative<BlockFinished>(event)) break;
    }
    return events;
}

}  // namespace calibench
