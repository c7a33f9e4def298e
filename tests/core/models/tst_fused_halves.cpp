#include <QTest>

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/autograd.h>

#include "core/models/fused_halves.h"
#include "core/models/rotary.h"

using namespace calibench;

/// The two halves of a block, whose backward is written by hand, against autograd through plain operations in double.
class TestFusedHalves : public QObject {
    Q_OBJECT
private Q_SLOTS:
    void mlp_data();
    void mlp();
    void attention_data();
    void attention();
    void frozenWeightsGetNoGradient();
    void tapsThatChangeNothing();
    void tapsThatRound();
    void threadsDoNotChangeABit();
    void unusualOnesAreLeftToPlainOperations_data();
    void unusualOnesAreLeftToPlainOperations();
};

namespace {

/// A fresh generator for each test, so that its data does not depend on the tests before it.
class Random {
public:
    at::Tensor operator()(at::IntArrayRef shape, double spread = 1) {
        return (at::randn(shape, generator_, at::kFloat) * spread).to(at::kBFloat16);
    }

private:
    at::Generator generator_ = at::make_generator<at::CPUGeneratorImpl>(uint64_t{7});
};

at::Tensor leaf(const at::Tensor& x) { return x.detach().clone().requires_grad_(); }
at::Tensor wideLeaf(const at::Tensor& x) { return x.detach().to(at::kDouble).requires_grad_(); }

/// Of the norms: one element that is rounded away does not decide.
double difference(const at::Tensor& actual, const at::Tensor& expected) {
    const at::Tensor exact = expected.detach().to(at::kDouble);
    return ((actual.detach().to(at::kDouble) - exact).norm() / exact.norm()).item<double>();
}

/// A few roundings to bfloat16 on the way.
constexpr double tolerance = 1.0 / 96;

#define COMPARE_CLOSE(actual, expected) \
    QVERIFY2(difference(actual, expected) < tolerance, qPrintable(QString::number(difference(actual, expected))))

GatedMlpWeights mlpWeights(Random& random, int64_t hidden, int64_t intermediate) {
    return {random({hidden}), leaf(random({intermediate, hidden}, 0.08)), leaf(random({intermediate, hidden}, 0.08)),
            leaf(random({hidden, intermediate}, 0.05)), 1e-5};
}

struct AttentionShape {
    int64_t batch, seq, hidden, heads, groups, headDim;
};

SelfAttentionWeights attentionWeights(Random& random, const AttentionShape& shape) {
    RopeParameters rope;
    const auto angles = RotaryEmbedding(rope, shape.headDim).angles({}, shape.seq, at::kBFloat16, at::kCPU);
    const int64_t width = shape.heads * shape.headDim, shared = shape.groups * shape.headDim;
    return {.norm = random({shape.hidden}),
            .query = leaf(random({width, shape.hidden}, 0.08)),
            .key = leaf(random({shared, shape.hidden}, 0.08)),
            .value = leaf(random({shared, shape.hidden}, 0.08)),
            .output = leaf(random({shape.hidden, width}, 0.08)),
            .cos = angles.cos,
            .sin = angles.sin,
            .head_dim = shape.headDim,
            .eps = 1e-5,
            .query_bias = {},
            .key_bias = {},
            .value_bias = {}};
}

at::Tensor plainNorm(const at::Tensor& x, const at::Tensor& weight, double eps) {
    return x * at::rsqrt(x.square().mean(-1, true) + eps) * weight.to(at::kDouble);
}

at::Tensor plainMlp(const GatedMlpWeights& weights, const at::Tensor& x, const std::vector<at::Tensor>& leaves) {
    const at::Tensor normed = plainNorm(x, weights.norm, weights.eps);
    return x + at::linear(at::silu(at::linear(normed, leaves[0])) * at::linear(normed, leaves[1]), leaves[2]);
}

at::Tensor plainAttention(const SelfAttentionWeights& weights, const at::Tensor& x, const std::vector<at::Tensor>& leaves) {
    const int64_t batch = x.size(0), seq = x.size(1);
    const RotaryEmbedding::Angles angles{weights.cos.to(at::kDouble), weights.sin.to(at::kDouble)};
    const at::Tensor normed = plainNorm(x, weights.norm, weights.eps);
    const auto heads = [&](const at::Tensor& weight, const at::Tensor& narrow_bias) {
        const at::Tensor bias = narrow_bias.defined() ? narrow_bias.to(at::kDouble) : narrow_bias;
        return at::linear(normed, weight, bias).view({batch, seq, -1, weights.head_dim}).transpose(1, 2);
    };
    const int64_t repeats = leaves[0].size(0) / leaves[1].size(0);
    const at::Tensor query = RotaryEmbedding::rotate(heads(leaves[0], weights.query_bias), angles);
    const at::Tensor key = RotaryEmbedding::rotate(heads(leaves[1], weights.key_bias), angles).repeat_interleave(repeats, 1);
    const at::Tensor value = heads(leaves[2], weights.value_bias).repeat_interleave(repeats, 1);
    const at::Tensor scores = at::matmul(query, key.transpose(-1, -2)) / std::sqrt(static_cast<double>(weights.head_dim));
    const at::Tensor hidden = at::ones({seq, seq}, at::kBool).triu(1);
    const at::Tensor mixed = at::matmul(at::softmax(scores.masked_fill(hidden, -std::numeric_limits<double>::infinity()), -1), value);
    return x + at::linear(mixed.transpose(1, 2).reshape({batch, seq, -1}), leaves[3]);
}

}  // namespace

void TestFusedHalves::mlp_data() {
    QTest::addColumn<QList<int>>("shape");  // tokens, hidden, intermediate
    QTest::addRow("less than a panel") << QList<int>{32, 32, 32};
    QTest::addRow("panels that end early") << QList<int>{96, 96, 160};
    QTest::addRow("several chunks and groups") << QList<int>{544, 320, 1120};
    QTest::addRow("more than a tile of gradients") << QList<int>{64, 640, 224};
}

void TestFusedHalves::mlp() {
    QFETCH(QList<int>, shape);
    Random random;
    const GatedMlpWeights weights = mlpWeights(random, shape[1], shape[2]);
    const at::Tensor x = leaf(random({shape[0], shape[1]})), grad = random({shape[0], shape[1]});
    const auto y = fused_mlp_half(weights, x);
    if (!y) QSKIP("this processor does not multiply bfloat16");
    const auto gradients = torch::autograd::grad({*y}, {x, weights.gate, weights.up, weights.down}, {grad});

    const std::vector<at::Tensor> leaves = {wideLeaf(weights.gate), wideLeaf(weights.up), wideLeaf(weights.down)};
    const at::Tensor wide = wideLeaf(x), expected = plainMlp(weights, wide, leaves);
    const auto exact = torch::autograd::grad({expected}, {wide, leaves[0], leaves[1], leaves[2]}, {grad.to(at::kDouble)});
    COMPARE_CLOSE(*y, expected);
    for (size_t i = 0; i < exact.size(); ++i) COMPARE_CLOSE(gradients[i], exact[i]);
}

void TestFusedHalves::attention_data() {
    QTest::addColumn<QList<int>>("shape");  // batch, seq, hidden, heads, groups, head_dim
    QTest::addColumn<bool>("biased");
    QTest::addRow("one head") << QList<int>{1, 32, 32, 1, 1, 32} << false;
    QTest::addRow("shared keys") << QList<int>{2, 96, 64, 4, 2, 32} << false;
    QTest::addRow("biases") << QList<int>{2, 96, 64, 4, 2, 32} << true;
    QTest::addRow("heads across panels") << QList<int>{3, 160, 160, 3, 1, 96} << false;
    QTest::addRow("heads of two panels") << QList<int>{2, 288, 96, 2, 2, 128} << false;
}

void TestFusedHalves::attention() {
    QFETCH(QList<int>, shape);
    Random random;
    QFETCH(bool, biased);
    SelfAttentionWeights weights = attentionWeights(random, {shape[0], shape[1], shape[2], shape[3], shape[4], shape[5]});
    if (biased) {
        weights.query_bias = random({weights.query.size(0)});
        weights.key_bias = random({weights.key.size(0)});
        weights.value_bias = random({weights.value.size(0)});
    }
    const at::Tensor x = leaf(random({shape[0], shape[1], shape[2]})), grad = random(x.sizes());
    const auto y = fused_attention_half(weights, x);
    if (!y) QSKIP("this processor does not multiply bfloat16");
    const auto gradients = torch::autograd::grad({*y}, {x, weights.query, weights.key, weights.value, weights.output}, {grad});

    const std::vector<at::Tensor> leaves = {wideLeaf(weights.query), wideLeaf(weights.key), wideLeaf(weights.value),
                                            wideLeaf(weights.output)};
    const at::Tensor wide = wideLeaf(x), expected = plainAttention(weights, wide, leaves);
    const auto exact = torch::autograd::grad({expected}, {wide, leaves[0], leaves[1], leaves[2], leaves[3]}, {grad.to(at::kDouble)});
    COMPARE_CLOSE(*y, expected);
    for (size_t i = 0; i < exact.size(); ++i) COMPARE_CLOSE(gradients[i], exact[i]);
}

/// What is left out of the products changes nothing in the rest.
void TestFusedHalves::frozenWeightsGetNoGradient() {
    Random random;
    GatedMlpWeights weights = mlpWeights(random, 64, 96);
    const at::Tensor x = leaf(random({64, 64})), grad = random({64, 64});
    const auto y = fused_mlp_half(weights, x);
    if (!y) QSKIP("this processor does not multiply bfloat16");
    const auto all = torch::autograd::grad({*y}, {x, weights.up, weights.down}, {grad});
    weights.gate = weights.gate.detach();
    const auto some = torch::autograd::grad({*fused_mlp_half(weights, x)}, {x, weights.up, weights.down}, {grad});
    for (size_t i = 0; i < all.size(); ++i) QVERIFY(all[i].equal(some[i]));

    const SelfAttentionWeights attention = attentionWeights(random, {1, 64, 64, 2, 1, 32});
    const at::Tensor states = leaf(random({1, 64, 64})), grad_states = random({1, 64, 64});
    const auto with_input = torch::autograd::grad({*fused_attention_half(attention, states)}, {states, attention.key}, {grad_states});
    const auto without = torch::autograd::grad({*fused_attention_half(attention, states.detach())}, {attention.key}, {grad_states});
    QVERIFY(with_input[1].equal(without[0]));
}

/// Whoever watches changes no bit, and sees what the projections take in.
void TestFusedHalves::tapsThatChangeNothing() {
    const at::NoGradGuard no_grad;
    Random random;
    const GatedMlpWeights mlp = mlpWeights(random, 96, 1120);
    const SelfAttentionWeights attention = attentionWeights(random, {2, 288, 96, 3, 1, 32});
    const at::Tensor x = random({2, 288, 96});
    const auto plain = fused_attention_half(attention, x);
    if (!plain) QSKIP("this processor does not multiply bfloat16");
    std::map<std::string, at::Tensor> seen;
    const auto watch = [&seen](const char* name) {
        return [&seen, name](const at::Tensor& input) { return seen[name] = input; };
    };
    QVERIFY(fused_attention_half(attention, x, {watch("query"), nullptr, watch("value"), watch("output")})->equal(*plain));
    QVERIFY(fused_attention_half(attention, x, {})->equal(*plain));
    QVERIFY(seen.at("query").is_same(seen.at("value")));
    COMPARE_CLOSE(seen.at("query"), plainNorm(x.to(at::kDouble), attention.norm, attention.eps));
    COMPARE_CLOSE(x.to(at::kDouble) + at::linear(seen.at("output").to(at::kDouble), attention.output.to(at::kDouble)), *plain);

    const at::Tensor y = *fused_mlp_half(mlp, x);
    QVERIFY(fused_mlp_half(mlp, x, {watch("gate"), watch("up"), watch("down")})->equal(y));
    QVERIFY(seen.at("gate").is_same(seen.at("up")));
    COMPARE_CLOSE(seen.at("gate"), plainNorm(x.to(at::kDouble), mlp.norm, mlp.eps));
    COMPARE_CLOSE(x.to(at::kDouble) + at::linear(seen.at("down").to(at::kDouble), mlp.down.to(at::kDouble)), y);
}

/// Each projection multiplies with what its own tap gave.
void TestFusedHalves::tapsThatRound() {
    const at::NoGradGuard no_grad;
    Random random;
    const GatedMlpWeights mlp = mlpWeights(random, 96, 160);
    SelfAttentionWeights attention = attentionWeights(random, {1, 64, 96, 2, 2, 32});
    const at::Tensor x = random({1, 64, 96});
    const auto times = [](double factor) {
        return [factor](const at::Tensor& input) { return input * factor; };
    };
    const auto tapped = fused_attention_half(attention, x, {times(2), times(0.5), times(-1), times(4)});
    if (!tapped) QSKIP("this processor does not multiply bfloat16");
    for (const auto& [weight, factor] : {std::pair(&attention.query, 2.0), {&attention.key, 0.5}, {&attention.value, -1.0}, {&attention.output, 4.0}})
        *weight = *weight * factor;  // powers of two: no bit is rounded otherwise
    QVERIFY(tapped->equal(*fused_attention_half(attention, x)));
    const GatedMlpWeights scaled{mlp.norm, mlp.gate * 2, mlp.up * 0.5, mlp.down * -4, mlp.eps};
    QVERIFY(fused_mlp_half(mlp, x, {times(2), times(0.5), times(-4)})->equal(*fused_mlp_half(scaled, x)));
}

void TestFusedHalves::threadsDoNotChangeABit() {
    Random random;
    const GatedMlpWeights weights = mlpWeights(random, 96, 160);
    const SelfAttentionWeights attention = attentionWeights(random, {2, 160, 96, 3, 1, 32});
    const at::Tensor x = random({2, 160, 96}), grad = random({2, 160, 96});
    if (!fused_mlp_half(weights, x)) QSKIP("this processor does not multiply bfloat16");
    const auto results = [&](int threads) {
        at::set_num_threads(threads);
        const at::Tensor middle = *fused_attention_half(attention, x), y = *fused_mlp_half(weights, middle);
        auto all = torch::autograd::grad({y}, {weights.gate, weights.down, attention.query, attention.key, attention.output}, {grad});
        all.push_back(y.detach());
        return all;
    };
    const int threads = at::get_num_threads();
    const auto one = results(1), three = results(3);
    at::set_num_threads(threads);
    for (size_t i = 0; i < one.size(); ++i) QVERIFY(one[i].equal(three[i]));
}

void TestFusedHalves::unusualOnesAreLeftToPlainOperations_data() {
    QTest::addColumn<int>("tokens");
    QTest::addColumn<int>("hidden");
    QTest::addColumn<int>("dtype");
    QTest::addRow("float32") << 64 << 64 << static_cast<int>(at::kFloat);
    QTest::addRow("float16") << 64 << 64 << static_cast<int>(at::kHalf);
    QTest::addRow("odd hidden size") << 64 << 48 << static_cast<int>(at::kBFloat16);
    QTest::addRow("odd number of tokens") << 40 << 64 << static_cast<int>(at::kBFloat16);
}

void TestFusedHalves::unusualOnesAreLeftToPlainOperations() {
    QFETCH(int, tokens);
    QFETCH(int, hidden);
    QFETCH(int, dtype);
    Random random;
    const auto as = [&](const at::Tensor& x) { return x.detach().to(static_cast<at::ScalarType>(dtype)); };
    const GatedMlpWeights mlp = mlpWeights(random, hidden, 96);
    const SelfAttentionWeights attention = attentionWeights(random, {1, tokens, hidden, 2, 1, 32});
    const at::Tensor x = as(random({1, tokens, hidden}));
    QVERIFY(!fused_mlp_half({as(mlp.norm), as(mlp.gate), as(mlp.up), as(mlp.down), mlp.eps}, x));
    SelfAttentionWeights unusual = attention;
    for (at::Tensor* weight : {&unusual.norm, &unusual.query, &unusual.key, &unusual.value, &unusual.output, &unusual.cos, &unusual.sin})
        *weight = as(*weight);
    QVERIFY(!fused_attention_half(unusual, x));
}

QTEST_GUILESS_MAIN(TestFusedHalves)
#include "tst_fused_halves.moc"
