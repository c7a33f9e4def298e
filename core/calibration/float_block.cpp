#include "core/calibration/float_block.h"

#include <algorithm>

#include <ATen/ATen.h>

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

at::Tensor forward_all(DecoderBlock& block, const at::Tensor& inputs, int64_t batch_size, RunReporter& reporter,
                       const std::function<void(int64_t begin, const at::Tensor& outputs)>& on_batch) {
    at::Tensor outputs = at::empty_like(inputs);
    const int64_t count = inputs.size(0);
    for (int64_t begin = 0; begin < count; begin += batch_size) {
        reporter.checkpoint();
        const int64_t end = std::min(begin + batch_size, count);
        const at::Tensor batch = block.forward(inputs.slice(0, begin, end), {});
        outputs.slice(0, begin, end).copy_(batch);
        if (on_batch) on_batch(begin, batch);
        reporter.advance(static_cast<double>(end - begin));
    }
    return outputs;
}

}  // namespace calibench
