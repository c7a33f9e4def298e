#include "core/calibration/float_block.h"

#include <algorithm>
#include <cstring>

#include <ATen/ATen.h>

#include "core/kernels/cpu/parallel.h"
#include "core/kernels/frozen_weights.h"

namespace calibench {

/// LibTorch's own copy wakes the threads of OpenMP, which run into ours.
static void put(const at::Tensor& from, const at::Tensor& to) {
    const bool is_plain = from.device().is_cpu() && to.device().is_cpu() && from.scalar_type() == to.scalar_type() && from.is_contiguous() && to.is_contiguous();
    if (!is_plain) {
        to.copy_(from);
        return;
    }
    const auto* source = static_cast<const char*>(from.const_data_ptr());
    auto* target = static_cast<char*>(to.mutable_data_ptr());
    constexpr int64_t bytes_per_task = 1 << 17;
    parallel_for(static_cast<int64_t>(from.nbytes()), bytes_per_task, [&](int64_t begin, int64_t end) { std::memcpy(target + begin, source + begin, size_t(end - begin)); });
}

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
        put(outputs, place);
        plan.activations->set_aside(place);
        if (on_batch) on_batch(begin, outputs);
    });
    return all;
}

}  // namespace calibench
