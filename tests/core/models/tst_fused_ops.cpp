#include <QTest>

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/autograd.h>

#include "core/models/attention.h"
#include "core/models/fused_ops.h"

using namespace calibench;

/// Every fused operation against the tensor operations it stands for, in double, values and gradients.
class TestFusedOps : public QObject {
    Q_OBJECT
private Q_SLOTS:
    void linearLayer_data();
    void linearLayer();
    void rmsNorm_data();
    void rmsNorm();
    void swigluFollowsSilu_data();
    void swigluFollowsSilu();
    void swigluOfExtremes();
    void attention_data();
    void attention();
    void longOrFloatSequencesAreLeftToTheStockAttention();
    void threadsDoNotChangeABit();
};

namespace {

at::Tensor randomTensor(at::IntArrayRef shape, uint64_t seed, at::ScalarType dtype = at::kFloat, double spread = 1) {
    return (at::randn(shape, at::make_generator<at::CPUGeneratorImpl>(seed), at::kFloat) * spread).to(dtype);
}

at::Tensor leaf(const at::Tensor& x) { return x.detach().clone().requires_grad_(); }

/// The largest difference in units of the largest value.
double difference(const at::Tensor& actual, const at::Tensor& expected) {
    const at::Tensor exact = expected.detach().to(at::kDouble);
    return ((actual.detach().to(at::kDouble) - exact).abs().max() / exact.abs().max().clamp_min(1e-30)).item<double>();
}

double tolerance(at::ScalarType dtype) { return dtype == at::kFloat ? 1e-6 : 1.0 / 128; }

void addShapes() {
    QTest::addColumn<QList<int>>("shape");
    QTest::addColumn<bool>("narrow");
    for (const bool narrow : {false, true}) {
        const char* dtype = narrow ? "bfloat16" : "float32";
        QTest::addRow("%s 2x3x64", dtype) << QList<int>{2, 3, 64} << narrow;
        QTest::addRow("%s 5x37", dtype) << QList<int>{5, 37} << narrow;
        QTest::addRow("%s 1x1", dtype) << QList<int>{1, 1} << narrow;
        QTest::addRow("%s 300x576", dtype) << QList<int>{300, 576} << narrow;
    }
}

std::vector<int64_t> sizes(const QList<int>& shape) { return {shape.begin(), shape.end()}; }

/// The stock way, in double.
at::Tensor plainAttention(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value, const RotaryEmbedding::Angles& angles) {
    const RotaryEmbedding::Angles wide{angles.cos.to(at::kDouble), angles.sin.to(at::kDouble)};
    const int64_t repeats = query.size(2) / key.size(2);
    const at::Tensor q = RotaryEmbedding::rotate(query.transpose(1, 2), wide);
    const at::Tensor k = RotaryEmbedding::rotate(key.transpose(1, 2), wide).repeat_interleave(repeats, 1);
    const at::Tensor v = value.transpose(1, 2).repeat_interleave(repeats, 1);
    const int64_t seq = query.size(1);
    const at::Tensor hidden = at::ones({seq, seq}, at::kBool).triu(1);
    const at::Tensor scores = at::matmul(q, k.transpose(-1, -2)) / std::sqrt(static_cast<double>(query.size(3)));
    const at::Tensor mixed = at::matmul(at::softmax(scores.masked_fill(hidden, -std::numeric_limits<double>::infinity()), -1), v);
    return mixed.transpose(1, 2).reshape({query.size(0), seq, -1});
}

}  // namespace

void TestFusedOps::linearLayer_data() {
    QTest::addColumn<QList<int>>("shape");  // tokens, in, out
    QTest::addColumn<bool>("narrow");
    QTest::addRow("float32") << QList<int>{96, 64, 96} << false;
    QTest::addRow("more outputs") << QList<int>{320, 96, 704} << true;
    QTest::addRow("more inputs") << QList<int>{64, 672, 160} << true;
    QTest::addRow("odd number of tokens") << QList<int>{37, 64, 96} << true;
    QTest::addRow("odd sizes") << QList<int>{64, 50, 33} << true;
}

void TestFusedOps::linearLayer() {
    QFETCH(QList<int>, shape);
    QFETCH(bool, narrow);
    const at::ScalarType dtype = narrow ? at::kBFloat16 : at::kFloat;
    const at::Tensor x = leaf(randomTensor({1, shape[0], shape[1]}, 1, dtype));
    const at::Tensor weight = leaf(randomTensor({shape[2], shape[1]}, 2, dtype, 0.1));
    const at::Tensor bias = leaf(randomTensor({shape[2]}, 3, dtype)), grad = randomTensor({1, shape[0], shape[2]}, 4, dtype);
    const at::Tensor y = fused_linear(x, weight, bias);
    const auto gradients = torch::autograd::grad({y}, {x, weight, bias}, {grad});
    const auto wide = [](const at::Tensor& tensor) { return leaf(tensor.detach().to(at::kDouble)); };
    const at::Tensor exact_x = wide(x), exact_weight = wide(weight), exact_bias = wide(bias);
    const at::Tensor expected = at::linear(exact_x, exact_weight, exact_bias);
    const auto exact = torch::autograd::grad({expected}, {exact_x, exact_weight, exact_bias}, {grad.to(at::kDouble)});
    QVERIFY(difference(y, expected) < tolerance(dtype));
    for (size_t i = 0; i < exact.size(); ++i) QVERIFY(difference(gradients[i], exact[i]) < tolerance(dtype));
    QVERIFY(torch::autograd::grad({fused_linear(x, weight, {})}, {weight}, {grad})[0].equal(gradients[1]));
}

void TestFusedOps::rmsNorm_data() { addShapes(); }

void TestFusedOps::rmsNorm() {
    QFETCH(QList<int>, shape);
    QFETCH(bool, narrow);
    const at::ScalarType dtype = narrow ? at::kBFloat16 : at::kFloat;
    const at::Tensor x = leaf(randomTensor(sizes(shape), 1, dtype, 3));
    const at::Tensor weight = randomTensor({shape.last()}, 2, dtype);
    const at::Tensor grad = randomTensor(sizes(shape), 3, dtype);
    const at::Tensor y = rms_norm(x, weight, 1e-5);
    QCOMPARE(y.scalar_type(), dtype);

    const at::Tensor wide = leaf(x.detach().to(at::kDouble));
    const at::Tensor expected = wide * at::rsqrt(wide.square().mean(-1, true) + 1e-5) * weight.to(at::kDouble);
    QVERIFY2(difference(y, expected) < tolerance(dtype), qPrintable(QString::number(difference(y, expected))));
    const at::Tensor actual = torch::autograd::grad({y}, {x}, {grad})[0];
    const at::Tensor exact = torch::autograd::grad({expected}, {wide}, {grad.to(at::kDouble)})[0];
    if (shape.last() > 1) QVERIFY2(difference(actual, exact) < tolerance(dtype), qPrintable(QString::number(difference(actual, exact))));
    QCOMPARE(actual.sizes(), x.sizes());
}

void TestFusedOps::swigluFollowsSilu_data() { addShapes(); }

void TestFusedOps::swigluFollowsSilu() {
    QFETCH(QList<int>, shape);
    QFETCH(bool, narrow);
    const at::ScalarType dtype = narrow ? at::kBFloat16 : at::kFloat;
    const at::Tensor gate = leaf(randomTensor(sizes(shape), 4, dtype, 4)), up = leaf(randomTensor(sizes(shape), 5, dtype));
    const at::Tensor grad = randomTensor(sizes(shape), 6, dtype);
    const at::Tensor y = swiglu(gate, up);
    const at::Tensor wideGate = leaf(gate.detach().to(at::kDouble)), wideUp = leaf(up.detach().to(at::kDouble));
    const at::Tensor expected = at::silu(wideGate) * wideUp;
    QVERIFY(difference(y, expected) < tolerance(dtype));
    const auto actual = torch::autograd::grad({y}, {gate, up}, {grad});
    const auto exact = torch::autograd::grad({expected}, {wideGate, wideUp}, {grad.to(at::kDouble)});
    for (size_t i = 0; i < 2; ++i) QVERIFY2(difference(actual[i], exact[i]) < tolerance(dtype), qPrintable(QString::number(difference(actual[i], exact[i]))));
}

void TestFusedOps::swigluOfExtremes() {
    const float huge = 1e30f, nan = std::numeric_limits<float>::quiet_NaN();
    const at::Tensor gate = at::tensor({-huge, -200.0f, -0.0f, 200.0f, nan}), up = at::ones({5});
    const at::Tensor y = swiglu(gate, up);
    QVERIFY(std::abs(y[0].item<float>()) < 1e-5f);
    QVERIFY(std::abs(y[1].item<float>()) < 1e-30f);
    QCOMPARE(y[2].item<float>(), 0.0f);
    QCOMPARE(y[3].item<float>(), 200.0f);
    QVERIFY(std::isnan(y[4].item<float>()));
}

void TestFusedOps::attention_data() {
    QTest::addColumn<int>("batch");
    QTest::addColumn<int>("seq");
    QTest::addColumn<int>("heads");
    QTest::addColumn<int>("groups");
    QTest::addColumn<int>("headDim");
    QTest::newRow("one head") << 1 << 7 << 1 << 1 << 8;
    QTest::newRow("own keys") << 2 << 32 << 4 << 4 << 16;
    QTest::newRow("shared keys") << 3 << 33 << 6 << 2 << 64;
    QTest::newRow("one key for all") << 2 << 129 << 3 << 1 << 20;
    QTest::newRow("a single token") << 2 << 1 << 2 << 1 << 8;
}

void TestFusedOps::attention() {
    QFETCH(int, batch);
    QFETCH(int, seq);
    QFETCH(int, heads);
    QFETCH(int, groups);
    QFETCH(int, headDim);
    const at::Tensor query = leaf(randomTensor({batch, seq, heads, headDim}, 7, at::kBFloat16));
    const at::Tensor key = leaf(randomTensor({batch, seq, groups, headDim}, 8, at::kBFloat16));
    const at::Tensor value = leaf(randomTensor({batch, seq, groups, headDim}, 9, at::kBFloat16));
    const RotaryEmbedding rotary(RopeParameters{}, headDim);
    const auto angles = rotary.angles({}, seq, at::kBFloat16, at::kCPU);
    QVERIFY(causal_attention_takes(query, key, angles));
    const at::Tensor mixed = causal_attention(query, key, value, angles);

    const auto wide = [](const at::Tensor& x) { return leaf(x.detach().to(at::kDouble)); };
    const at::Tensor q = wide(query), k = wide(key), v = wide(value);
    const at::Tensor expected = plainAttention(q, k, v, angles);
    QCOMPARE(mixed.sizes(), expected.sizes());
    QVERIFY2(difference(mixed, expected) < 0.02, qPrintable(QString::number(difference(mixed, expected))));

    const at::Tensor grad = randomTensor(expected.sizes(), 10, at::kBFloat16);
    const auto actual = torch::autograd::grad({mixed}, {query, key, value}, {grad});
    const auto exact = torch::autograd::grad({expected}, {q, k, v}, {grad.to(at::kDouble)});
    for (size_t i = 0; i < 3; ++i) {
        QCOMPARE(actual[i].sizes(), exact[i].sizes());
        if (seq > 1 || i == 2) QVERIFY2(difference(actual[i], exact[i]) < 0.03, qPrintable(QString::number(difference(actual[i], exact[i]))));
    }
}

void TestFusedOps::longOrFloatSequencesAreLeftToTheStockAttention() {
    const RotaryEmbedding rotary(RopeParameters{}, 8);
    const at::Tensor narrow = at::zeros({1, 16, 2, 8}, at::kBFloat16), wide = at::zeros({1, 16, 2, 8});
    QVERIFY(causal_attention_takes(narrow, narrow, rotary.angles({}, 16, at::kBFloat16, at::kCPU)));
    QVERIFY(!causal_attention_takes(wide, wide, rotary.angles({}, 16, at::kFloat, at::kCPU)));
    const at::Tensor many = at::zeros({1, 1, 1, 8}, at::kBFloat16).expand({32, 8192, 2, 8});
    QVERIFY(!causal_attention_takes(many, many, rotary.angles({}, 8192, at::kBFloat16, at::kCPU)));
}

void TestFusedOps::threadsDoNotChangeABit() {
    const int threads = at::get_num_threads();
    const auto results = [] {
        const at::Tensor x = leaf(randomTensor({700, 96}, 11, at::kBFloat16)), gate = leaf(randomTensor({700, 96}, 12, at::kBFloat16));
        const at::Tensor y = swiglu(gate, rms_norm(x, randomTensor({96}, 13, at::kBFloat16), 1e-6));
        auto all = torch::autograd::grad({y}, {x, gate}, {randomTensor({700, 96}, 14, at::kBFloat16)});
        all.push_back(y.detach());
        return all;
    };
    at::set_num_threads(1);
    const auto one = results();
    at::set_num_threads(2);
    const auto two = results();
    at::set_num_threads(threads);
    for (size_t i = 0; i < one.size(); ++i) QVERIFY(at::equal(one[i], two[i]));
}

QTEST_GUILESS_MAIN(TestFusedOps)
#include "tst_fused_ops.moc"
