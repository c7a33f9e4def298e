#include "core/calibration/float_block.h"

#include <algorithm>

#include <ATen/ATen.h>

#include "core/kernels/frozen_weights.h"

namespace calibench {

FloatBlock::FloatBlock(DecoderBlock& block) : block_(block) {
    for (Linear* linear : block.linears()) {
        linears_[linear->name] = linear;
        weights_[linear->name] = linear->weight;
    }
}

void FloatBlock::put_back() {
    for (const auto& [name, linear] : linears_) {
        linear->weight = weights_.at(name);
        linear->on_input = linear->on_output = nullptr;
        linear->transform_input = linear->transform_output = nullptr;
    }
    if (KeyValueTaps* taps = block_.key_value_taps()) taps->key = taps->value = {};
}

void pass_all(DecoderBlock& block, const at::Tensor& inputs, const RunPlan& plan, RunReporter& reporter, const OnBatch& on_batch) {
    const FrozenWeights frozen;
    const int64_t count = inputs.size(0);
    for (int64_t begin = 0; begin < count; begin += plan.batch_size) {
        reporter.checkpoint();
        const int64_t end = std::min(begin + plan.batch_size, count);
        const at::Tensor batch = inputs.slice(0, begin, end);
        const at::Tensor outputs = block.forward(batch.to(plan.model->options().device), {});
        plan.activations->set_aside(batch);
        if (on_batch) on_batch(begin, outputs);
        reporter.advance(static_cast<double>(end - begin));
    }
}

at::Tensor forward_all(DecoderBlock& block, const at::Tensor& inputs, const RunPlan& plan, RunReporter& reporter, const OnBatch& on_batch) {
    const ComputeOptions& options = plan.model->options();
    at::Tensor all = plan.activations->make(inputs.sizes(), at::device(options.device).dtype(options.dtype));
    pass_all(block, inputs, plan, reporter, [&](int64_t begin, const at::Tensor& outputs) {
        const at::Tensor place = all.slice(0, begin, begin + outputs.size(0));
        place.copy_(outputs);
        plan.activations->set_aside(place);
        if (on_batch) on_batch(begin, outputs);
    });
    return all;
}

}  // namespace calibench
