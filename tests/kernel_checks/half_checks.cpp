// The fused halves of a decoder block, forward and backward, against the same half in double.

#include <cmath>
#include <limits>

#include <torch/csrc/autograd/autograd.h>

#include "core/kernels/gated_mlp.h"
#include "core/kernels/self_attention.h"
#include "core/models/rotary.h"
#include "tests/kernel_checks/checks.h"

namespace calibench::testing {

namespace {

constexpr double forward_bound = 0.02, gradient_bound = 0.04;  // bfloat16 between one product and the next

/// Of the size that keeps a product's results near 1.
at::Tensor projection(int64_t rows, int64_t columns, uint64_t seed, const at::Device& device) {
    return normal({rows, columns}, seed, device, at::kBFloat16, 1 / std::sqrt(double(columns)));
}

at::Tensor plain_norm(const at::Tensor& x, const at::Tensor& weight, double eps) { return x * at::rsqrt(x.square().mean(-1, true) + eps) * weight; }

void add(std::vector<Comparison>& comparisons, const std::string& what, const std::vector<const char*>& names, const std::vector<at::Tensor>& actual,
         const std::vector<at::Tensor>& exact) {
    for (size_t i = 0; i < names.size(); ++i)
        comparisons.push_back({concat("gradient of ", names[i], ", ", what), difference(actual[i], exact[i]), gradient_bound});
}

}  // namespace

std::vector<Comparison> gated_mlp(const at::Device& device) {
    std::vector<Comparison> comparisons;
    struct Sizes {
        int64_t tokens, hidden, intermediate;
    };
    for (const Sizes& of : {Sizes{32, 32, 64}, Sizes{96, 96, 160}, Sizes{320, 576, 1536}}) {
        GatedMlpWeights weights{normal({of.hidden}, 1, device, at::kBFloat16), projection(of.intermediate, of.hidden, 2, device),
                                projection(of.intermediate, of.hidden, 3, device), projection(of.hidden, of.intermediate, 4, device)};
        const at::Tensor x = normal({of.tokens, of.hidden}, 5, device, at::kBFloat16), grad_y = normal(x.sizes(), 6, device, at::kBFloat16);
        const GatedMlpKernels* kernels = gated_mlp_kernels(weights, x);
        if (!kernels) continue;
        at::Tensor y = at::empty_like(x);
        GatedMlpStates states;
        kernels->forward(weights, x, y, &states);
        GatedMlpGradients gradients{at::empty_like(x), at::empty_like(weights.gate), at::empty_like(weights.up), at::empty_like(weights.down)};
        kernels->backward(weights, x, states, grad_y, gradients);

        const at::Tensor exact_x = leaf(wide(x)), gate = leaf(wide(weights.gate)), up = leaf(wide(weights.up)), down = leaf(wide(weights.down));
        const at::Tensor normed = plain_norm(exact_x, wide(weights.norm), weights.eps);
        const at::Tensor exact = exact_x + at::linear(at::silu(at::linear(normed, gate)) * at::linear(normed, up), down);
        const auto exact_gradients = torch::autograd::grad({exact}, {exact_x, gate, up, down}, {wide(grad_y)});
        const std::string what = concat(of.tokens, " tokens, ", of.hidden, " to ", of.intermediate);
        comparisons.push_back({what, difference(y, exact), forward_bound});
        add(comparisons, what, {"x", "gate", "up", "down"}, {gradients.x, gradients.gate, gradients.up, gradients.down}, exact_gradients);
    }
    return comparisons;
}

std::vector<Comparison> self_attention(const at::Device& device) {
    std::vector<Comparison> comparisons;
    struct Sizes {
        int64_t batch, seq, hidden, heads, groups, head_dim;
        bool own_positions;
    };
    for (const Sizes& of : {Sizes{1, 32, 64, 2, 1, 32, false}, Sizes{3, 64, 96, 6, 2, 64, true}, Sizes{2, 96, 64, 4, 4, 128, false}, Sizes{2, 256, 576, 9, 3, 64, false}}) {
        const RotaryEmbedding rotary(RopeParameters{}, of.head_dim);
        const at::Tensor positions = of.own_positions ? at::arange(of.batch * of.seq, at::kLong).view({of.batch, of.seq}).to(device) : at::Tensor();
        const auto angles = rotary.angles(positions, of.seq, at::kBFloat16, device);
        const SelfAttentionWeights weights{normal({of.hidden}, 1, device, at::kBFloat16), projection(of.heads * of.head_dim, of.hidden, 2, device),
                                           projection(of.groups * of.head_dim, of.hidden, 3, device), projection(of.groups * of.head_dim, of.hidden, 4, device),
                                           projection(of.hidden, of.heads * of.head_dim, 5, device), angles.cos, angles.sin, of.head_dim};
        const at::Tensor x = normal({of.batch, of.seq, of.hidden}, 6, device, at::kBFloat16), grad_y = normal(x.sizes(), 7, device, at::kBFloat16);
        const SelfAttentionKernels* kernels = self_attention_kernels(weights, x);
        if (!kernels) continue;
        at::Tensor y = at::empty_like(x);
        SelfAttentionStates states;
        kernels->forward(weights, x, y, &states);
        SelfAttentionGradients gradients{at::empty_like(x), at::empty_like(weights.query), at::empty_like(weights.key), at::empty_like(weights.value),
                                         at::empty_like(weights.output)};
        kernels->backward(weights, x, states, grad_y, gradients);

        const at::Tensor exact_x = leaf(wide(x)), query = leaf(wide(weights.query)), key = leaf(wide(weights.key)), value = leaf(wide(weights.value)),
                         output = leaf(wide(weights.output));
        const at::Tensor normed = plain_norm(exact_x, wide(weights.norm), weights.eps);
        const RotaryEmbedding::Angles wide_angles{wide(angles.cos), wide(angles.sin)};
        const auto states_of = [&](const at::Tensor& weight, int64_t heads) {
            return at::linear(normed, weight).view({of.batch, of.seq, heads, of.head_dim}).transpose(1, 2);
        };
        const int64_t repeats = of.heads / of.groups;
        const at::Tensor q = RotaryEmbedding::rotate(states_of(query, of.heads), wide_angles);
        const at::Tensor k = RotaryEmbedding::rotate(states_of(key, of.groups), wide_angles).repeat_interleave(repeats, 1);
        const at::Tensor v = states_of(value, of.groups).repeat_interleave(repeats, 1);
        const at::Tensor hidden_keys = at::ones({of.seq, of.seq}, at::TensorOptions(at::kBool).device(device)).triu(1);
        const at::Tensor scores = at::matmul(q, k.transpose(-1, -2)) / std::sqrt(double(of.head_dim));
        const at::Tensor mixed = at::matmul(at::softmax(scores.masked_fill(hidden_keys, -std::numeric_limits<double>::infinity()), -1), v);
        const at::Tensor exact = exact_x + at::linear(mixed.transpose(1, 2).reshape({of.batch, of.seq, -1}), output);
        const auto exact_gradients = torch::autograd::grad({exact}, {exact_x, query, key, value, output}, {wide(grad_y)});
        const std::string what = concat("batch ", of.batch, ", ", of.seq, " tokens of ", of.hidden, ", ", of.heads, "/", of.groups, " heads of ", of.head_dim);
        comparisons.push_back({what, difference(y, exact), forward_bound});
        add(comparisons, what, {"x", "query", "key", "value", "output"}, {gradients.x, gradients.query, gradients.key, gradients.value, gradients.output},
            exact_gradients);
    }
    return comparisons;
}

}  // namespace calibench::testing
