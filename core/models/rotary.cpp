#include "core/models/rotary.h"

#include <numbers>

#include <ATen/ATen.h>

namespace calibench {

namespace {

/// transformers.modeling_rope_utils, in its order of float32 operations.
at::Tensor inverse_frequencies(const RopeParameters& rope, int64_t head_dim) {
    const at::Tensor exponent = at::arange(0, head_dim, 2, at::kFloat) / static_cast<double>(head_dim);
    const at::Tensor plain = at::reciprocal(at::pow(at::Scalar(rope.rope_theta), exponent));
    if (rope.rope_type == "linear") return plain / rope.factor;
    if (rope.rope_type != "llama3") return plain;

    const auto context = static_cast<double>(rope.original_max_position_embeddings);
    const at::Tensor wavelength = at::full_like(plain, 2 * std::numbers::pi) / plain;
    const at::Tensor slow = wavelength > context / rope.low_freq_factor;
    const at::Tensor fast = wavelength < context / rope.high_freq_factor;
    const at::Tensor turns = at::full_like(plain, context) / wavelength;
    const at::Tensor smooth = (turns - rope.low_freq_factor) / (rope.high_freq_factor - rope.low_freq_factor);
    const at::Tensor blended = (1 - smooth) * plain / rope.factor + smooth * plain;
    return at::where(slow, plain / rope.factor, at::where(fast, plain, blended));
}

}  // namespace

RotaryEmbedding::RotaryEmbedding(const RopeParameters& rope, int64_t head_dim) : inverse_frequency_(inverse_frequencies(rope, head_dim)) {}

RotaryEmbedding::Angles RotaryEmbedding::angles(const at::Tensor& position_ids, int64_t seq, at::ScalarType dtype,
                                                at::Device device) const {
    if (position_ids.defined()) return compute(position_ids.to(device, at::kFloat), dtype);
    const std::lock_guard lock(mutex_);
    const at::Tensor& known = usual_.cos;
    if (!known.defined() || known.size(-2) != seq || known.scalar_type() != dtype || known.device() != device)
        usual_ = compute(at::arange(seq, at::TensorOptions(at::kFloat).device(device)).unsqueeze(0), dtype);
    return usual_;
}

RotaryEmbedding::Angles RotaryEmbedding::compute(const at::Tensor& positions, at::ScalarType dtype) const {
    const at::Tensor half = positions.unsqueeze(-1) * inverse_frequency_.to(positions.device());  // [batch, seq, head_dim / 2]
    const at::Tensor full = at::cat({half, half}, -1).unsqueeze(1);
    return {full.cos().to(dtype), full.sin().to(dtype)};
}

at::Tensor RotaryEmbedding::rotate(const at::Tensor& x, const Angles& angles) {
    const auto halves = x.chunk(2, -1);
    return x * angles.cos + at::cat({-halves[1], halves[0]}, -1) * angles.sin;
}

}  // namespace calibench
