#include "core/calibration/calibration_pipeline.h"

#include <algorithm>
#include <optional>
#include <utility>

#include <ATen/ATen.h>

#include "core/autoround/loss_mask.h"
#include "core/base/error.h"
#include "core/base/text.h"
#include "core/base/warm_heap.h"
#include "core/calibration/block_rounding.h"
#include "core/calibration/earlier_run.h"
#include "core/calibration/head_tuning.h"
#include "core/calibration/linear_store.h"
#include "core/calibration/range_tracker.h"
#include "core/calibration/restored_block.h"
#include "core/kernels/recycled.h"
#include "core/models/block_chain.h"
#include "core/models/module_plan.h"

namespace calibench {

static std::optional<int64_t> pad_token_id(const ModelConfig& config) {
    const auto id = config.raw.find("pad_token_id");
    if (id == config.raw.end() || !id->is_number_integer()) return {};
    return id->get<int64_t>();
}

static std::vector<NamedTensor> tensors_of(std::vector<NamedTensor> all, const std::string& block) {
    std::erase_if(all, [&](const NamedTensor& tensor) { return !tensor.name.starts_with(block + "."); });
    return all;
}

static StoredSketches sketches_of(StoredSketches all, const std::string& block) {
    const auto is_foreign = [&](const auto& entry) { return !entry.first.starts_with(block + "."); };
    std::erase_if(all.inputs.modules, is_foreign);
    std::erase_if(all.inputs.channels, is_foreign);
    std::erase_if(all.inputs.sketches, is_foreign);
    std::erase_if(all.inputs.expert_ranges, is_foreign);
    std::erase_if(all.output_errors, [&](const OutputErrorMeasured& error) { return !error.module.starts_with(block + "."); });
    return all;
}

CalibrationPipeline::CalibrationPipeline(RunPlan& plan, RunReporter& reporter) : plan_(plan), reporter_(reporter) {
    if (!plan.config.run_dir.empty()) {
        store_.emplace(plan.config.run_dir);
        sketches_.emplace(plan.config.run_dir);
    }
    if (plan.without_samples()) return;
    const CalibrationSet& samples = plan.samples;
    input_ids_ = at::tensor(samples.input_ids).view({samples.num_samples, samples.seq_len});
    loss_mask_ = make_loss_mask(input_ids_, {}, pad_token_id(plan.model->config())).to(plan.model->options().device);
    if (!loss_mask_.any().item<bool>())
        throw InputError(concat(plan.config.dataset.string(), ": every sample is padding or one token repeated; there is nothing to calibrate on."));
}

RunSummary CalibrationPipeline::run() {
    const at::NoGradGuard no_grad;
    const auto first = static_cast<int64_t>(plan_.done.size());
    const std::vector<BlockRange> ranges = plan_.ranges();
    double work = work_of_head(plan_);
    for (const BlockRange& blocks : ranges) {
        const auto count = static_cast<double>(blocks.count);
        work += plan_.without_samples() ? count : blocks.first < first ? count * work_of_restoring(plan_) : BlockCalibration::work(plan_, blocks);
    }
    reporter_.start_progress(work, plan_.summary.num_blocks);

    std::optional<RecycledMemory> recycled_memory(std::in_place);  // one block needs what the one before it needed
    embed();
    export_untouched();
    for (int64_t block = 0; block < first; ++block) restore_block(block);
    for (const BlockRange& blocks : ranges)
        if (blocks.first >= first) calibrate_blocks(blocks);
    if (plan_.head && !plan_.head_is_embedding()) calibrate_head();
    recycled_memory.reset();
    WarmHeap::trim();  // what remains to be read is as large as many blocks
    if (plan_.unties_embeddings && plan_.writer) export_untied_head();
    export_as_they_are("");

    RunSummary summary;
    if (plan_.writer) {
        reporter_.enter_stage("exporting");
        reporter_.checkpoint();
        summary.output_bytes = plan_.writer->bytes_written();
        summary.output_dir = plan_.config.output_dir;
        plan_.writer->commit(plan_.quantization_config, to_yaml(plan_.recipe));
    }
    for (const auto& outcome : outcomes_) {
        summary.mean_initial_loss_mse += outcome.initial_loss_mse / static_cast<double>(outcomes_.size());
        summary.mean_best_loss_mse += outcome.best_loss_mse / static_cast<double>(outcomes_.size());
    }
    summary.run_dir = plan_.config.run_dir;
    summary.num_quantized_modules = plan_.num_quantized_modules();
    summary.seconds = reporter_.elapsed_seconds();
    return summary;
}

void CalibrationPipeline::embed() {
    reporter_.enter_stage("embedding");
    if (plan_.without_samples()) {
        if (plan_.embedding) (void)calibrate_embedding();
        return;
    }
    const auto& options = plan_.model->options();
    hidden_.reference = embed_all([&](const at::Tensor& ids) { return plan_.model->embed(ids); });
    plan_.model->checkpoint().release(embedding_module(plan_.model->config()).name + ".weight");
    hidden_.quantized = hidden_.reference;
    if (!plan_.embedding) return;
    const at::Tensor table = calibrate_embedding();
    hidden_.quantized = embed_all([&](const at::Tensor& ids) { return at::embedding(table, ids.to(options.device)); });
}

at::Tensor CalibrationPipeline::embed_all(const std::function<at::Tensor(const at::Tensor& ids)>& embed) {
    const auto& options = plan_.model->options();
    at::Tensor all = plan_.activations->make({input_ids_.size(0), input_ids_.size(1), plan_.summary.hidden_size},
                                             at::device(options.device).dtype(options.dtype));
    for (int64_t begin = 0; begin < input_ids_.size(0); begin += plan_.batch_size) {
        reporter_.checkpoint();
        const int64_t end = std::min(begin + plan_.batch_size, input_ids_.size(0));
        const at::Tensor place = all.slice(0, begin, end);
        place.copy_(embed(input_ids_.slice(0, begin, end)));
        plan_.activations->set_aside(place);
    }
    return all;
}

void CalibrationPipeline::store_outer(Linear& linear, const at::Tensor& weight, const ModulePlan& plan, const ModuleObservers& observers,
                                      const TunedWeight& tuned) {
    ModuleQParams qparams = observers.activations(weight.scalar_type());
    if (observers.weight) {
        observers.weight->observe(weight);
        qparams.weight = observed_qparams(*observers.weight);
    }
    if (tuned.quantized.defined()) qparams.weight = tuned.qparams;
    const StoredLinear stored = store_linear(linear, weight, plan, qparams, tuned.quantized);
    if (plan_.writer) plan_.writer->add(stored.tensors);
    exported_.insert(linear.name + ".weight");
    reporter_.send(ModuleQuantized{-1, linear.name, describe(plan.scheme), stored.weight_sqnr_db});
}

at::Tensor CalibrationPipeline::calibrate_embedding() {
    const auto& options = plan_.model->options();
    Linear table;
    table.name = embedding_module(plan_.model->config()).name;
    const at::Tensor weight = plan_.model->checkpoint().tensor(table.name + ".weight").to(options.device);
    table.weight = weight.to(options.dtype);
    reporter_.send(observe_weight_range(table, -1));
    store_outer(table, weight, *plan_.embedding, ModuleObservers(table.name, *plan_.embedding));
    if (plan_.head_is_embedding()) plan_.model->head().weight = table.weight;
    return table.weight;
}

void CalibrationPipeline::calibrate_blocks(BlockRange blocks) {
    std::vector<std::unique_ptr<DecoderBlock>> loaded;
    for (int64_t index = blocks.first; index < blocks.end(); ++index) loaded.push_back(plan_.model->load_block(index));
    if (plan_.without_samples()) return finish_block(blocks.first, round_block(plan_, *loaded.front(), blocks.first, reporter_), {.block = blocks.first});
    const auto block = loaded.size() == 1 ? std::move(loaded.front()) : std::make_unique<BlockChain>(std::move(loaded));
    BlockCalibration calibration(plan_, *block, blocks, loss_mask_, reporter_);
    const auto stored = calibration.run(hidden_);
    BlockFinished outcome = calibration.outcome();
    for (int64_t index = blocks.first; index < blocks.end(); ++index) {
        const std::string name = block_name(index);
        if (index != blocks.first) reporter_.send(BlockStarted{index, name});
        if (sketches_) sketches_->keep(name, sketches_of(calibration.sketches(), name));
        outcome.block = index;
        finish_block(index, tensors_of(stored, name), outcome);
        outcome.seconds = 0;  // they are the first one's
    }
}

void CalibrationPipeline::restore_block(int64_t index) {
    const auto block = plan_.model->load_block(index);
    const FinishedBlock finished = plan_.reused ? plan_.reused->block(index, plan_) : store_->read(block->name());
    if (!plan_.without_samples()) run_restored_block(plan_, *block, index, finished, hidden_, reporter_);
    if (plan_.reused) tell_again(index, finished);
    export_block(index, finished.tensors, plan_.done[static_cast<size_t>(index)]);
}

void CalibrationPipeline::tell_again(int64_t index, const FinishedBlock& finished) {
    if (store_) store_->keep(block_name(index), finished);
    if (sketches_) sketches_->take_over(block_name(index), SketchStore(plan_.reused->directory()));
    for (const RunEvent& event : plan_.reused->events_of(index)) reporter_.send(event);
}

void CalibrationPipeline::finish_block(int64_t index, const std::vector<NamedTensor>& stored, const BlockFinished& outcome) {
    if (store_) store_->keep(block_name(index), {stored, plan_.blocks[static_cast<size_t>(index)]});
    reporter_.send(outcome);  // from here on a run that goes on takes the block over
    export_block(index, stored, outcome);
}

void CalibrationPipeline::export_block(int64_t index, const std::vector<NamedTensor>& stored, const BlockFinished& outcome) {
    if (BlockCalibration::quantizes(plan_, index) && !is_judged_by_tokens(index)) outcomes_.push_back(outcome);
    if (plan_.writer) plan_.writer->add(stored);
    for (const auto& [module, todo] : plan_.blocks[static_cast<size_t>(index)]) exported_.insert(module + ".weight");
    export_as_they_are(block_name(index) + ".");
}

bool CalibrationPipeline::is_judged_by_tokens(int64_t index) const {
    return plan_.ranges().back().contains(index) &&
           std::any_of(plan_.tunings.begin(), plan_.tunings.end(), [](const AutoRoundOptions& tuning) { return tuning.enable_lfq; });
}

void CalibrationPipeline::calibrate_head() {
    reporter_.enter_block(plan_.summary.num_blocks - 1);
    reporter_.enter_stage("rounding");
    reporter_.checkpoint();
    Linear& head = plan_.model->head();
    const Checkpoint& source = plan_.model->checkpoint();
    const std::string owner = plan_.summary.tied_embeddings ? embedding_module(plan_.model->config()).name : head.name;
    reporter_.send(observe_weight_range(head, -1));

    const ModuleObservers observers(head.name, *plan_.head);
    const int64_t count = observers.wants_inputs() || observers.output ? hidden_.reference.size(0) : 0;
    for (int64_t begin = 0; begin < count; begin += plan_.batch_size) {
        reporter_.checkpoint();
        const at::Tensor batch = hidden_.reference.slice(0, begin, std::min(begin + plan_.batch_size, count));
        const at::Tensor input = plan_.model->final_norm(batch.to(plan_.model->options().device));
        plan_.activations->set_aside(batch);
        observers.see_input(input);
        if (observers.output) observers.see_output(head.forward(input));
    }
    const at::Tensor weight = source.tensor(owner + ".weight").to(head.weight.device());
    if (plan_.head->tuning) {
        SharedQuantizers inputs;
        round_activations(head, plan_.head->scheme, observers.activations(weight.scalar_type()), plan_.model->options().dtype, inputs);
        store_outer(head, weight, *plan_.head, observers, tune_head(plan_, head, hidden_, loss_mask_, reporter_));
    } else {
        store_outer(head, weight, *plan_.head, observers);
        reporter_.advance(1);
    }
    source.release(owner + ".weight");
}

void CalibrationPipeline::export_untied_head() {
    plan_.writer->untie_embeddings();
    const ModelConfig& config = plan_.model->config();
    const std::string name = head_module(config).name + ".weight";
    if (exported_.insert(name).second) plan_.writer->add({{name, plan_.model->checkpoint().tensor(embedding_module(config).name + ".weight")}});
}

void CalibrationPipeline::export_untouched() {
    const ModelConfig& config = plan_.model->config();
    if (!plan_.embedding) export_as_they_are(embedding_module(config).name + ".");
    if (!plan_.head) export_as_they_are(head_module(config).name + ".");
}

void CalibrationPipeline::export_as_they_are(const std::string& prefix) {
    if (!plan_.writer) return;
    const Checkpoint& source = plan_.model->checkpoint();
    for (const auto& name : source.names()) {
        if (name.rfind(prefix, 0) != 0 || !exported_.insert(name).second) continue;
        reporter_.checkpoint();
        plan_.writer->add({{name, source.tensor(name)}}, [&source, name] { source.release(name); });
    }
}

}  // namespace calibench
