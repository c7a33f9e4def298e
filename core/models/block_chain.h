#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/models/causal_lm.h"

namespace calibench {

/// Decoder blocks in a row, as if they were one. It has no key_value_taps(): those are each block's own.
class BlockChain : public DecoderBlock {
public:
    /// At least one.
    explicit BlockChain(std::vector<std::unique_ptr<DecoderBlock>> blocks);

    [[nodiscard]] at::Tensor forward(const at::Tensor& hidden, const SequenceContext& context) override;
    [[nodiscard]] std::vector<Linear*> linears() override;
    void send_all_tokens_to_all_experts(bool all) override;
    [[nodiscard]] const std::string& name() const override { return name_; }

private:
    std::vector<std::unique_ptr<DecoderBlock>> blocks_;
    std::string name_;  ///< "model.layers.2 to model.layers.3"
};

}  // namespace calibench
