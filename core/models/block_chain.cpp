#include "core/models/block_chain.h"

#include <ATen/ATen.h>

#include "core/base/text.h"

namespace calibench {

BlockChain::BlockChain(std::vector<std::unique_ptr<DecoderBlock>> blocks)
    : blocks_(std::move(blocks)), name_(blocks_.front()->name()) {
    if (blocks_.size() > 1) name_ = concat(name_, " to ", blocks_.back()->name());
}

at::Tensor BlockChain::forward(const at::Tensor& hidden, const SequenceContext& context) {
    at::Tensor states = hidden;
    for (const auto& block : blocks_) states = block->forward(states, context);
    return states;
}

std::vector<Linear*> BlockChain::linears() {
    std::vector<Linear*> all;
    for (const auto& block : blocks_) {
        const std::vector<Linear*> linears = block->linears();
        all.insert(all.end(), linears.begin(), linears.end());
    }
    return all;
}

void BlockChain::send_all_tokens_to_all_experts(bool all) {
    for (const auto& block : blocks_) block->send_all_tokens_to_all_experts(all);
}

}  // namespace calibench
