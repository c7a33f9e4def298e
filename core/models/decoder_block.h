#pragma once

#include <memory>

#include "core/models/causal_lm.h"
#include "core/models/rotary.h"
#include "core/models/weight_store.h"

namespace calibench {

/// Materialises block `index`: norm, attention, norm, feed-forward, each around a residual. `rotary` and `store` outlive the block.
[[nodiscard]] std::unique_ptr<DecoderBlock> load_decoder_block(const WeightStore& store, const RotaryEmbedding& rotary, int64_t index);

}  // namespace calibench
