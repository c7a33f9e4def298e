#include "core/calibration/calibration_pipeline.h"

#include <algorithm>
#include <optional>

#include <ATen/ATen.h>

#include "core/autoround/loss_mask.h"
#include "core/base/error.h"
#include "core/base/text.h"
#include "core/calibration/linear_store.h"
#include "core/calibration/range_tracker.h"

namespace calibench {

static std::optional<int64_t> pad_token_id(const ModelConfig& config) {
    const auto id = config.raw.find("pad_token_id");
    if (id == config.raw.end() || !id->is_number_integer()) return {};
    return id->get<int64_t>();
}

CalibrationPipeline::CalibrationPipeline(RunPlan& plan, RunReporter& reporter) : plan_(plan), reporter_(reporter) {
    const CalibrationSet& samples = plan.samples;
    input_ids_ = at::tensor(samples.input_ids).view({samples.num_samples, samples.seq_len});
    loss_mask_ = make_loss_mask(input_ids_, {}, pad_token_id(plan.model->config())).to(plan.model->options().device);
    if (!loss_mask_.any().item<bool>())
        throw InputError(concat(plan.config.dataset.string(), ": every sample is padding or one token repeated; there is nothing to calibrate on."));
}

RunSummary CalibrationPipeline::run() {
    const at::NoGradGuard no_grad;
    double work = plan_.head ? 1 : 0;
    for (int64_t block = 0; block < plan_.summary.num_blocks; ++block) work += BlockCalibration::work(plan_, block);
    reporter_.start_progress(work, plan_.summary.num_blocks);

    embed();
    for (int64_t block = 0; block < plan_.summary.num_blocks; ++block) calibrate_block(block);
    if (plan_.head) calibrate_head();
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
    const auto& options = plan_.model->options();
    hidden_.reference = at::empty({input_ids_.size(0), input_ids_.size(1), plan_.summary.hidden_size}, at::device(options.device).dtype(options.dtype));
    for (int64_t begin = 0; begin < input_ids_.size(0); begin += plan_.batch_size) {
        reporter_.checkpoint();
        const int64_t end = std::min(begin + plan_.batch_size, input_ids_.size(0));
        hidden_.reference.slice(0, begin, end).copy_(plan_.model->embed(input_ids_.slice(0, begin, end).to(options.device)));
    }
    hidden_.quantized = hidden_.reference;
}

void CalibrationPipeline::calibrate_block(int64_t index) {
    const auto block = plan_.model->load_block(index);
    BlockCalibration calibration(plan_, *block, index, loss_mask_, reporter_);
    const auto stored = calibration.run(hidden_);
    if (!plan_.blocks[static_cast<size_t>(index)].empty()) outcomes_.push_back(calibration.outcome());
    if (plan_.writer) plan_.writer->add(stored);
    for (const auto& [module, todo] : plan_.blocks[static_cast<size_t>(index)]) exported_.insert(module + ".weight");
    export_as_they_are(block->name() + ".");
}

void CalibrationPipeline::show_head_inputs(const std::function<void(const at::Tensor& input)>& watch) {
    const int64_t count = hidden_.quantized.size(0);
    for (int64_t begin = 0; begin < count; begin += plan_.batch_size) {
        reporter_.checkpoint();
        watch(plan_.model->final_norm(hidden_.quantized.slice(0, begin, std::min(begin + plan_.batch_size, count))));
    }
}

void CalibrationPipeline::calibrate_head() {
    reporter_.enter_stage("rounding");
    reporter_.checkpoint();
    Linear& head = plan_.model->head();
    const at::Tensor source = plan_.model->checkpoint().tensor(head.name + ".weight");
    const at::Tensor weight = source.to(head.weight.device());
    reporter_.send(observe_weight_range(head, -1));

    const auto& inputs = plan_.head->scheme.input_activations;
    const auto weight_observer = make_weight_observer(head.name, *plan_.head->scheme.weights);
    std::unique_ptr<Observer> input_observer;
    if (inputs && inputs->dynamic != Dynamic::Yes) input_observer = make_input_observer(head.name, *inputs);
    if (input_observer) show_head_inputs([&](const at::Tensor& input) { input_observer->observe(input); });
    if (weight_observer->wants_inputs()) show_head_inputs([&](const at::Tensor& input) { weight_observer->observe_input(input); });
    weight_observer->observe(weight);

    ModuleQParams qparams{observed_qparams(*weight_observer), {}, {}};
    if (input_observer) qparams.input = observed_qparams(*input_observer);
    if (qparams.input.scale.defined()) qparams.input.scale = qparams.input.scale.to(weight.scalar_type());
    const StoredLinear stored = store_linear(head, weight, *plan_.head, qparams);
    if (plan_.writer) plan_.writer->add(stored.tensors);
    exported_.insert(head.name + ".weight");
    reporter_.send(ModuleQuantized{-1, head.name, describe(plan_.head->scheme), stored.weight_sqnr_db});
    reporter_.advance(1);
}

void CalibrationPipeline::export_as_they_are(const std::string& prefix) {
    if (!plan_.writer) return;
    const Checkpoint& source = plan_.model->checkpoint();
    for (const auto& name : source.names()) {
        if (name.rfind(prefix, 0) != 0 || !exported_.insert(name).second) continue;
        reporter_.checkpoint();
        plan_.writer->add({{name, source.tensor(name)}});
    }
}

}  // namespace calibench
