// What a decoder block computes between its matrix products, and its loss.

#include <cmath>
#include <limits>

#include <torch/csrc/autograd/autograd.h>

#include "core/kernels/block_loss.h"
#include "core/kernels/causal_softmax.h"
#include "core/kernels/rms_norm.h"
#include "core/kernels/rotary.h"
#include "core/kernels/swiglu.h"
#include "core/models/fused_ops.h"
#include "tests/kernel_checks/checks.h"

namespace calibench::testing {

namespace {

using Shape = std::vector<int64_t>;

/// Calls body(dtype, shape).
template <typename Body>
void for_each_shape(const std::vector<Shape>& shapes, const Body& body) {
    for (const at::ScalarType dtype : both_dtypes)
        for (const Shape& shape : shapes) body(dtype, shape);
}

const std::vector<Shape> row_shapes{{1, 3}, {5, 37}, {2, 3, 64}, {300, 576}, {7, 4100}, {1, 16384}};

at::Tensor gradient(const at::Tensor& result, const at::Tensor& input, const at::Tensor& grad) {
    return torch::autograd::grad({result}, {input}, {grad})[0];
}

}  // namespace

std::vector<Comparison> block_loss(const at::Device& device) {
    std::vector<Comparison> comparisons;
    for_each_shape({{1, 1, 1}, {3, 17, 45}, {2, 300, 576}, {1, 5, 4099}}, [&](at::ScalarType dtype, const Shape& shape) {
        const at::Tensor output = normal(shape, 1, device, dtype), target = normal(shape, 2, device, dtype);
        const BlockLossKernel kernel = block_loss_kernel(output);
        if (!kernel) return;
        const at::Tensor half = normal({shape[0], shape[1]}, 3, device) > 0;
        for (const at::Tensor& mask : {at::Tensor(), half, half.logical_and(half.logical_not())}) {
            at::Tensor grad = at::empty_like(output);
            const double loss = kernel(output, target, mask, 1000, grad);
            at::Tensor error = wide(output) - wide(target);
            if (mask.defined()) error = error * mask.unsqueeze(-1);
            const double rows = mask.defined() ? std::max(1.0, mask.sum().item<double>()) : double(shape[0] * shape[1]);
            const double elements = rows * double(shape[2]), expected = error.square().sum().item<double>() / elements;
            const std::string what = concat(describe(dtype, shape), mask.defined() ? concat(", ", mask.sum().item<int64_t>(), " rows kept") : "");
            comparisons.push_back({concat("loss of ", what), expected == 0 ? loss : std::abs(loss - expected) / expected, sum_bound});
            comparisons.push_back({concat("gradient of ", what), difference(grad, error * (2000 / elements)), dtype == at::kFloat ? 1e-6 : 1.0 / 256});
        }
    });
    return comparisons;
}

std::vector<Comparison> rms_norm_forward(const at::Device& device) {
    std::vector<Comparison> comparisons;
    for_each_shape(row_shapes, [&](at::ScalarType dtype, const Shape& shape) {
        const at::Tensor x = normal(shape, 1, device, dtype, 3), weight = normal({shape.back()}, 2, device, dtype);
        const RmsNormKernels* kernels = rms_norm_kernels(x, weight);
        if (!kernels) return;
        at::Tensor y = at::empty_like(x), inverse_rms = at::empty({x.numel() / shape.back()}, x.options().dtype(at::kFloat));
        kernels->forward(x, weight, 1e-5, y, inverse_rms);
        const at::Tensor exact = at::rsqrt(wide(x).square().mean(-1, true) + 1e-5);
        comparisons.push_back({describe(dtype, shape), difference(y, wide(x) * exact * wide(weight)), rounding_bound(dtype)});
        comparisons.push_back({concat("inverse rms of ", describe(dtype, shape)), difference(inverse_rms, exact.flatten()), sum_bound});
    });
    return comparisons;
}

std::vector<Comparison> rms_norm_backward(const at::Device& device) {
    std::vector<Comparison> comparisons;
    for_each_shape(row_shapes, [&](at::ScalarType dtype, const Shape& shape) {
        const at::Tensor x = normal(shape, 1, device, dtype, 3), weight = normal({shape.back()}, 2, device, dtype);
        const at::Tensor grad_y = normal(shape, 3, device, dtype);
        const RmsNormKernels* kernels = rms_norm_kernels(x, weight);
        if (!kernels) return;
        at::Tensor inverse_rms = at::rsqrt(wide(x).square().mean(-1) + 1e-5).to(at::kFloat).flatten();
        at::Tensor grad_x = at::empty_like(x);
        kernels->backward(grad_y, x, weight, inverse_rms, grad_x);
        const at::Tensor exact = leaf(wide(x));
        const at::Tensor y = exact * at::rsqrt(exact.square().mean(-1, true) + 1e-5) * wide(weight);
        comparisons.push_back({describe(dtype, shape), difference(grad_x, gradient(y, exact, wide(grad_y))), rounding_bound(dtype)});
    });
    return comparisons;
}

std::vector<Comparison> swiglu_forward(const at::Device& device) {
    std::vector<Comparison> comparisons;
    for_each_shape(row_shapes, [&](at::ScalarType dtype, const Shape& shape) {
        const at::Tensor gate = normal(shape, 4, device, dtype, 4), up = normal(shape, 5, device, dtype);
        const SwigluKernels* kernels = swiglu_kernels(gate, up);
        if (!kernels) return;
        at::Tensor y = at::empty_like(gate);
        kernels->forward(gate, up, y);
        comparisons.push_back({describe(dtype, shape), difference(y, at::silu(wide(gate)) * wide(up)), rounding_bound(dtype)});
    });
    const at::Tensor far_out = at::tensor({-200.0f, -0.0f, 0.0f, 50.0f, 200.0f}).to(device), ones = at::ones_like(far_out);
    if (const SwigluKernels* kernels = swiglu_kernels(far_out, ones)) {
        at::Tensor y = at::empty_like(far_out);
        kernels->forward(far_out, ones, y);
        comparisons.push_back({"gates up to 200", difference(y, at::silu(wide(far_out))), rounding_bound(at::kFloat)});
    }
    return comparisons;
}

std::vector<Comparison> swiglu_backward(const at::Device& device) {
    std::vector<Comparison> comparisons;
    for_each_shape(row_shapes, [&](at::ScalarType dtype, const Shape& shape) {
        const at::Tensor gate = normal(shape, 4, device, dtype, 4), up = normal(shape, 5, device, dtype);
        const at::Tensor grad_y = normal(shape, 6, device, dtype);
        const SwigluKernels* kernels = swiglu_kernels(gate, up);
        if (!kernels) return;
        at::Tensor grad_gate = at::empty_like(gate), grad_up = at::empty_like(up);
        kernels->backward(grad_y, gate, up, grad_gate, grad_up);
        const at::Tensor exact_gate = leaf(wide(gate)), exact_up = leaf(wide(up)), y = at::silu(exact_gate) * exact_up;
        const auto exact = torch::autograd::grad({y}, {exact_gate, exact_up}, {wide(grad_y)});
        comparisons.push_back({concat("gate of ", describe(dtype, shape)), difference(grad_gate, exact[0]), rounding_bound(dtype)});
        comparisons.push_back({concat("up of ", describe(dtype, shape)), difference(grad_up, exact[1]), rounding_bound(dtype)});
    });
    return comparisons;
}

namespace {

const std::vector<Shape> rotary_shapes{{1, 1, 1, 2}, {1, 7, 1, 8}, {2, 33, 6, 64}, {3, 5, 2, 20}, {2, 16, 3, 128}};  // [batch, seq, heads, head_dim]

/// One set of angles for all samples, or one each.
std::vector<RotaryEmbedding::Angles> rotary_angles(const Shape& shape, at::ScalarType dtype, const at::Device& device) {
    const RotaryEmbedding rotary(RopeParameters{}, shape[3]);
    const at::Tensor positions = at::arange(shape[0] * shape[1], at::kLong).view({shape[0], shape[1]}).to(device);
    return {rotary.angles({}, shape[1], dtype, device), rotary.angles(positions, shape[1], dtype, device)};
}

RotaryEmbedding::Angles wide_angles(const RotaryEmbedding::Angles& angles) { return {wide(angles.cos), wide(angles.sin)}; }

}  // namespace

std::vector<Comparison> rotary_forward(const at::Device& device) {
    std::vector<Comparison> comparisons;
    for_each_shape(rotary_shapes, [&](at::ScalarType dtype, const Shape& shape) {
        const at::Tensor x = normal(shape, 7, device, dtype);
        for (const auto& angles : rotary_angles(shape, dtype, device)) {
            const RotaryKernels* kernels = rotary_kernels(x, angles.cos, angles.sin);
            if (!kernels) return;
            const at::Tensor expected = RotaryEmbedding::rotate(wide(x).transpose(1, 2), wide_angles(angles));
            at::Tensor y = at::empty(expected.sizes(), x.options());
            kernels->forward(x, angles.cos, angles.sin, y);
            comparisons.push_back({describe(dtype, shape), difference(y, expected), rounding_bound(dtype)});
        }
    });
    return comparisons;
}

std::vector<Comparison> rotary_backward(const at::Device& device) {
    std::vector<Comparison> comparisons;
    for_each_shape(rotary_shapes, [&](at::ScalarType dtype, const Shape& shape) {
        const at::Tensor x = leaf(wide(normal(shape, 7, device, dtype)));
        const at::Tensor grad = normal({shape[0], shape[2], shape[1], shape[3]}, 8, device, dtype);
        at::Tensor grad_x = at::empty(shape, grad.options());
        for (const auto& angles : rotary_angles(shape, dtype, device)) {
            const RotaryKernels* kernels = rotary_kernels(grad_x, angles.cos, angles.sin);
            if (!kernels) return;
            kernels->backward(grad, angles.cos, angles.sin, grad_x);
            const at::Tensor y = RotaryEmbedding::rotate(x.transpose(1, 2), wide_angles(angles));
            comparisons.push_back({describe(dtype, shape), difference(grad_x, gradient(y, x, wide(grad))), rounding_bound(dtype)});
        }
    });
    return comparisons;
}

namespace {

const std::vector<Shape> score_shapes{{1, 1, 1}, {2, 7, 7}, {3, 66, 33}, {2, 258, 129}, {2, 300, 300}, {1, 600, 600}};  // [matrices, rows, seq]

at::Tensor causal_softmax(const at::Tensor& scores, double scale) {
    const int64_t rows = scores.size(1), seq = scores.size(2);
    const at::Tensor query = at::arange(rows, scores.options().dtype(at::kLong)).remainder(seq).unsqueeze(1);
    const at::Tensor hidden = at::arange(seq, query.options()) > query;
    return at::softmax(scores.mul(scale).masked_fill(hidden, -std::numeric_limits<double>::infinity()), -1);
}

}  // namespace

std::vector<Comparison> causal_softmax_forward(const at::Device& device) {
    std::vector<Comparison> comparisons;
    for_each_shape(score_shapes, [&](at::ScalarType dtype, const Shape& shape) {
        const at::Tensor scores = normal(shape, 9, device, dtype, 8);
        const CausalSoftmaxKernels* kernels = causal_softmax_kernels(scores);
        if (!kernels) return;
        at::Tensor result = scores.clone();
        kernels->forward(result, 0.3);
        comparisons.push_back({describe(dtype, shape), difference(result, causal_softmax(wide(scores), 0.3)), rounding_bound(dtype)});
    });
    return comparisons;
}

std::vector<Comparison> causal_softmax_backward(const at::Device& device) {
    std::vector<Comparison> comparisons;
    for_each_shape(score_shapes, [&](at::ScalarType dtype, const Shape& shape) {
        if (shape.back() == 1) return;  // one key has all the weight: no gradient to compare
        const at::Tensor scores = leaf(wide(normal(shape, 9, device, dtype, 8))), grad = normal(shape, 10, device, dtype);
        const at::Tensor exact = causal_softmax(scores, 0.3), probabilities = exact.detach().to(dtype);
        const CausalSoftmaxKernels* kernels = causal_softmax_kernels(grad);
        if (!kernels) return;
        at::Tensor result = grad.clone();
        kernels->backward(probabilities, result, 0.3);
        comparisons.push_back({describe(dtype, shape), difference(result, gradient(exact, scores, wide(grad))), rounding_bound(dtype)});
    });
    return comparisons;
}

std::vector<Comparison> attention(const at::Device& device) {
    std::vector<Comparison> comparisons;
    struct Heads {
        int64_t batch, seq, heads, groups, head_dim;
    };
    for (const Heads& of : {Heads{1, 7, 1, 1, 8}, Heads{2, 32, 4, 4, 16}, Heads{3, 33, 6, 2, 64}, Heads{2, 129, 3, 1, 20}}) {
        const auto states = [&](int64_t heads, uint64_t seed) { return leaf(normal({of.batch, of.seq, heads, of.head_dim}, seed, device, at::kBFloat16)); };
        const at::Tensor query = states(of.heads, 11), key = states(of.groups, 12), value = states(of.groups, 13);
        const auto angles = rotary_angles({of.batch, of.seq, of.heads, of.head_dim}, at::kBFloat16, device)[0];
        if (!causal_attention_takes(query, key, angles)) return {};
        const at::Tensor mixed = causal_attention(query, key, value, angles);

        const at::Tensor q = leaf(wide(query)), k = leaf(wide(key)), v = leaf(wide(value));
        const int64_t repeats = of.heads / of.groups;
        const at::Tensor rotated_k = RotaryEmbedding::rotate(k.transpose(1, 2), wide_angles(angles)).repeat_interleave(repeats, 1);
        const at::Tensor scores = at::matmul(RotaryEmbedding::rotate(q.transpose(1, 2), wide_angles(angles)), rotated_k.transpose(-1, -2));
        const at::Tensor probabilities = causal_softmax(scores.flatten(0, 1), 1 / std::sqrt(double(of.head_dim))).view(scores.sizes());
        const at::Tensor exact = at::matmul(probabilities, v.transpose(1, 2).repeat_interleave(repeats, 1)).transpose(1, 2).reshape(mixed.sizes());

        const at::Tensor grad = normal(mixed.sizes(), 14, device, at::kBFloat16);
        const auto actual_grads = torch::autograd::grad({mixed}, {query, key, value}, {grad});
        const auto exact_grads = torch::autograd::grad({exact}, {q, k, v}, {wide(grad)});
        const std::string what = concat("batch ", of.batch, ", ", of.seq, " tokens, ", of.heads, "/", of.groups, " heads of ", of.head_dim);
        comparisons.push_back({what, difference(mixed, exact), 0.02});
        for (size_t i = 0; i < 3; ++i)
            comparisons.push_back({concat("gradient of ", std::array{"query", "key", "value"}[i], ", ", what), difference(actual_grads[i], exact_grads[i]), 0.03});
    }
    return comparisons;
}

}  // namespace calibench::testing
