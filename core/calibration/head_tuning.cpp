#include "core/calibration/head_tuning.h"

#include <algorithm>

#include <ATen/ATen.h>

namespace calibench {

namespace {

/// Logits in a slice, about: their float32 differences take four times the bytes.
constexpr int64_t logits_at_a_time = 1 << 24;

/// Final norm and head, as if they were a block.
class HeadBlock : public DecoderBlock {
public:
    HeadBlock(CausalLm& model, Linear& head) : model_(model), head_(head) {}

    at::Tensor forward(const at::Tensor& hidden, const SequenceContext&) override { return head_.forward(model_.final_norm(hidden)); }
    std::vector<Linear*> linears() override { return {&head_}; }
    const std::string& name() const override { return head_.name; }

private:
    CausalLm& model_;
    Linear& head_;
};

/// The head looks at each position by itself, so that a sample may be cut: into equal slices, as long as fit.
int64_t slices_of_a_sample(int64_t seq_len, int64_t vocab_size) {
    const int64_t longest = std::max<int64_t>(1, logits_at_a_time / vocab_size);
    int64_t slices = (seq_len + longest - 1) / longest;
    while (seq_len % slices != 0) ++slices;
    return slices;
}

}  // namespace

TunedWeight tune_head(const RunPlan& plan, Linear& head, const HiddenStates& hidden, const at::Tensor& loss_mask, RunReporter& reporter) {
    AutoRoundOptions options = plan.tunings[*plan.head->tuning];
    reporter.enter_stage("tuning", options.iters);
    const double work_of_iteration = work_of_head(plan) / static_cast<double>(options.iters);
    const int64_t slices = slices_of_a_sample(loss_mask.size(1), head.weight.size(0));
    options.gradient_accumulate_steps = options.samples_per_iteration() * slices;
    options.batch_size = 1;
    options.enable_alg_ext = options.leave_out_outliers = false;

    const auto sliced = [&](const at::Tensor& all) {
        std::vector<int64_t> shape = all.sizes().vec();
        shape[0] *= slices;
        shape[1] /= slices;
        return all.view(shape);
    };
    const at::Tensor reference = sliced(hidden.reference);
    Linear float_head = head;
    float_head.transform_input = float_head.transform_output = nullptr;
    BlockSamples samples{options.enable_quanted_input ? sliced(hidden.quantized) : reference, {}, {}, sliced(loss_mask.contiguous())};
    samples.make_outputs = [&](const at::Tensor& picked) {
        const at::NoGradGuard no_grad;
        const at::Tensor states = reference.index_select(0, picked.to(reference.device())).to(float_head.weight.device());
        return float_head.forward(plan.model->final_norm(states));
    };
    HeadBlock block(*plan.model, head);
    const at::AutoGradMode grad(true);  // the rest of the walk runs without
    TuningResult result = tune_block(block, samples, {{head.name, *plan.head->scheme.weights}}, options, reporter.control(),
                                     [&](int64_t iteration, double loss, bool best) {
                                         reporter.send(LossRecorded{-1, iteration, loss, best});
                                         reporter.advance(work_of_iteration, iteration + 1);
                                         plan.activations->set_aside(reference);
                                         plan.activations->set_aside(samples.inputs);
                                     });
    return std::move(result.weights.at(head.name));
}

double work_of_head(const RunPlan& plan) {
    if (!plan.head || plan.head_is_embedding()) return 0;
    return plan.head->tuning ? BlockAttempt::work_of_tunings({{"", *plan.head}}, plan.tunings) : 1;
}

}  // namespace calibench
