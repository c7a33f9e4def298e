#include "core/models/causal_lm.h"

#include <ATen/ATen.h>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/models/decoder_block.h"
#include "core/models/rotary.h"
#include "core/models/weight_store.h"

namespace calibench {

namespace {

class DecoderOnlyLm : public CausalLm {
public:
    DecoderOnlyLm(const std::filesystem::path& model_dir, ComputeOptions options)
        : store_(model_dir, options),
          rotary_(store_.config().rope, store_.config().head_dim),
          norm_(store_.norm(final_norm_module(store_.config()))) {}

    const ModelConfig& config() const override { return store_.config(); }
    const Checkpoint& checkpoint() const override { return store_.checkpoint(); }
    const ComputeOptions& options() const override { return store_.options(); }

    at::Tensor embed(const at::Tensor& input_ids) override {
        const at::Tensor ids = input_ids.to(at::kCPU, at::kLong).flatten();
        if (ids.numel() > 0 && (ids.min().item<int64_t>() < 0 || ids.max().item<int64_t>() >= config().vocab_size))
            throw InputError(concat("The input holds token ids from ", ids.min().item<int64_t>(), " to ", ids.max().item<int64_t>(),
                                    ", but the model's vocabulary has ", config().vocab_size, " entries."));
        return store_.weight_rows(embedding_module(config()), ids).view({input_ids.size(0), input_ids.size(1), config().hidden_size});
    }

    std::unique_ptr<DecoderBlock> load_block(int64_t index) override {
        if (index < 0 || index >= config().num_hidden_layers)
            throw InputError(concat("There is no block ", index, " in a model of ", config().num_hidden_layers, " blocks."));
        return load_decoder_block(store_, rotary_, index);
    }

    at::Tensor logits(const at::Tensor& hidden) override { return head().forward(final_norm(hidden)); }
    at::Tensor final_norm(const at::Tensor& hidden) override { return norm_.forward(hidden); }

    Linear& head() override {
        if (!head_) {
            const bool tied = config().tie_word_embeddings;
            head_ = store_.linear(tied ? embedding_module(config()) : head_module(config()));
            head_->name = head_module(config()).name;
        }
        return *head_;
    }

private:
    WeightStore store_;
    RotaryEmbedding rotary_;
    RmsNorm norm_;
    std::optional<Linear> head_;  ///< the largest single weight: loaded when first asked for
};

}  // namespace

std::unique_ptr<CausalLm> CausalLm::open(const std::filesystem::path& model_dir, ComputeOptions options) {
    return std::make_unique<DecoderOnlyLm>(model_dir, options);
}

}  // namespace calibench
