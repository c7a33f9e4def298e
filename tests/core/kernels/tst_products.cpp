#include <QTest>

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include "core/kernels/cpu/bf16_operands.h"
#include "core/kernels/frozen_weights.h"
#include "core/kernels/wide_linear.h"

using namespace calibench;

class TestProducts : public QObject {
    Q_OBJECT
private Q_SLOTS:
    void wideLinear_data();
    void wideLinear();
    void frozenWeightsArePackedOnce();
};

static at::Tensor random(at::IntArrayRef shape) {
    return at::randn(shape, at::make_generator<at::CPUGeneratorImpl>(uint64_t{3}), at::kFloat);
}

void TestProducts::wideLinear_data() {
    QTest::addColumn<int>("tokens");
    QTest::addColumn<int>("features");
    QTest::addColumn<int>("outputs");
    QTest::addColumn<int>("dtype");
    for (const at::ScalarType dtype : {at::kBFloat16, at::kFloat, at::kHalf}) {
        QTest::addRow("%s: one token", c10::toString(dtype)) << 1 << 64 << 96 << static_cast<int>(dtype);
        QTest::addRow("%s: several panels", c10::toString(dtype)) << 97 << 160 << 224 << static_cast<int>(dtype);
        QTest::addRow("%s: odd features", c10::toString(dtype)) << 8 << 33 << 65 << static_cast<int>(dtype);
    }
}

/// Only the float32 sums round.
void TestProducts::wideLinear() {
    QFETCH(int, tokens);
    QFETCH(int, features);
    QFETCH(int, outputs);
    QFETCH(int, dtype);
    const at::Tensor x = random({tokens, features}).to(static_cast<at::ScalarType>(dtype));
    const at::Tensor weight = random({outputs, features}).to(static_cast<at::ScalarType>(dtype));
    const at::Tensor y = wide_linear(x, weight), exact = at::linear(x.to(at::kDouble), weight.to(at::kDouble));
    QCOMPARE(y.scalar_type(), at::kFloat);
    QCOMPARE(y.sizes(), exact.sizes());
    QVERIFY((y - exact).abs().max().item<double>() < 1e-4);
}

void TestProducts::frozenWeightsArePackedOnce() {
#if defined(CALIBENCH_BF16_PRODUCTS)
    if (!cpu::bf16::available()) QSKIP("this processor does not multiply bfloat16");
    using cpu::bf16::Packed;
    const at::Tensor weight = random({64, 96}).to(at::kBFloat16);
    const auto place = [](const Packed& packed) { return packed.panels().const_data_ptr(); };
    {
        const FrozenWeights frozen;
        const Packed first = Packed::transposed(weight);
        const FrozenWeights again;
        QCOMPARE(place(Packed::transposed(weight)), place(first));
        QVERIFY(place(Packed::transposed(weight.slice(0, 0, 32).contiguous())) != place(first));
        QVERIFY(place(Packed::transposed(weight.slice(0, 0, 32))) != place(first));  // begins at the same element
    }
    const Packed before = Packed::transposed(weight);
    weight.neg_();
    QVERIFY(Packed::transposed(weight).panels().equal(before.panels().neg()));
#endif
}

QTEST_GUILESS_MAIN(TestProducts)
#include "tst_products.moc"
