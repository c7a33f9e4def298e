#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include "core/models/checkpoint.h"
#include "core/models/layers.h"
#include "core/models/model_config.h"

namespace calibench {

/// What every block of one batch shares.
struct SequenceContext {
    at::Tensor attention_mask;  ///< int64 or bool [batch, seq], 1 = token, 0 = padding; undefined: no padding
    at::Tensor position_ids;    ///< int64 [batch, seq]; undefined: 0 .. seq-1
};

/// One decoder block, materialised: its weights live as long as it does.
class DecoderBlock {
public:
    virtual ~DecoderBlock() = default;
    /// hidden [batch, seq, hidden_size] -> the same shape.
    [[nodiscard]] virtual at::Tensor forward(const at::Tensor& hidden, const SequenceContext& context) = 0;
    /// Every projection in model order, experts included but no router (transformers' is no Linear either). The pointers live as
    /// long as the block.
    [[nodiscard]] virtual std::vector<Linear*> linears() = 0;
    /// The one whose output, as it is, is added to all else to give the block's output. Null where there is none, as with experts.
    [[nodiscard]] virtual Linear* last_projection() { return nullptr; }
    /// From here on every expert computes every token, for whoever watches the experts; what the block returns stays the same up to
    /// rounding. For calibration: an expert that was routed no token would know no range.
    virtual void send_all_tokens_to_all_experts(bool) {}
    /// Null for a block without a cache.
    [[nodiscard]] virtual KeyValueTaps* key_value_taps() { return nullptr; }
    /// Name prefix: "model.layers.3".
    [[nodiscard]] virtual const std::string& name() const = 0;
};

/// Where a model computes, and in what.
struct ComputeOptions {
    at::ScalarType dtype = at::kFloat;
    at::Device device = at::kCPU;
};

/// A decoder-only language model read from a Hugging Face directory, plain or compressed-tensors. Weights are materialised block
/// by block on request: memory follows the largest block, not the model.
class CausalLm {
public:
    /// Throws InputError for an architecture, shape or dtype it does not know, naming file and key.
    [[nodiscard]] static std::unique_ptr<CausalLm> open(const std::filesystem::path& model_dir, ComputeOptions options = {});
    virtual ~CausalLm() = default;

    [[nodiscard]] virtual const ModelConfig& config() const = 0;
    [[nodiscard]] virtual const Checkpoint& checkpoint() const = 0;
    [[nodiscard]] virtual const ComputeOptions& options() const = 0;

    /// input_ids int64 [batch, seq] -> [batch, seq, hidden_size].
    [[nodiscard]] virtual at::Tensor embed(const at::Tensor& input_ids) = 0;
    [[nodiscard]] virtual std::unique_ptr<DecoderBlock> load_block(int64_t index) = 0;
    /// Final norm and head: [batch, seq, hidden_size] -> logits [batch, seq, vocab] in the compute dtype.
    [[nodiscard]] virtual at::Tensor logits(const at::Tensor& hidden) = 0;
    /// Only the final norm, for whoever computes the head in slices.
    [[nodiscard]] virtual at::Tensor final_norm(const at::Tensor& hidden) = 0;
    /// The head (the embedding's weight when tied), name "lm_head".
    [[nodiscard]] virtual Linear& head() = 0;
};

}  // namespace calibench
