#include <QtTest/QTest>

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include "core/autoround/tunable_weight.h"
#include "core/kernels/block_loss.h"

using namespace calibench;

namespace {

at::Tensor normal(at::IntArrayRef shape, uint64_t seed) {
    return at::randn(shape, at::make_generator<at::CPUGeneratorImpl>(seed), at::kFloat);
}

/// Rows with the troubles of real ones: outliers, zeros, one sign only.
at::Tensor awkward_weight(int64_t rows, int64_t columns, at::ScalarType dtype) {
    at::Tensor weight = normal({rows, columns}, 1) * 0.02;
    weight[0].zero_();
    weight[1] = weight[1].abs() + 0.01;
    weight[2] = -weight[2].abs() - 0.01;
    weight[3][5] = 3.0;
    weight[4] *= 1e-6;
    return weight.to(dtype);
}

}  // namespace

/// The fused kernels against the tensor operations of weight_rounding.h, step by step.
class TestQdqKernel : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void agrees_with_the_reference_data();
    void agrees_with_the_reference();
    void agrees_from_a_searched_start();
    void block_loss_is_the_mean_squared_error_data();
    void block_loss_is_the_mean_squared_error();
};

void TestQdqKernel::agrees_with_the_reference_data() {
    QTest::addColumn<int>("bits");
    QTest::addColumn<bool>("symmetric");
    QTest::addColumn<int>("group_size");  // -1: channel, 0: tensor
    QTest::addColumn<int>("columns");
    QTest::addColumn<int>("weight_dtype");
    QTest::addColumn<int>("scale_dtype");
    const std::map<std::string, DType> scale_dtypes = {{"f16", DType::Float16}, {"f32", DType::Float32}, {"bf16", DType::BFloat16}};
    for (const int bits : {2, 3, 4, 8}) {
        for (const bool symmetric : {true, false}) {
            for (const auto& [group_size, columns] : {std::pair{32, 96}, std::pair{20, 60}, std::pair{-1, 77}, std::pair{0, 131}}) {
                for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
                    for (const auto& [scale_name, scale_dtype] : scale_dtypes) {
                        if (dtype == at::kBFloat16 && scale_dtype == DType::BFloat16) continue;  // the reference takes these
                        QTest::addRow("w%d %s group %d %s scale %s", bits, symmetric ? "sym" : "asym", group_size, at::toString(dtype),
                                      scale_name.c_str())
                            << bits << symmetric << group_size << columns << static_cast<int>(dtype) << static_cast<int>(scale_dtype);
                    }
                }
            }
        }
    }
}

void TestQdqKernel::agrees_with_the_reference() {
    QFETCH(int, bits);
    QFETCH(bool, symmetric);
    QFETCH(int, group_size);
    QFETCH(int, columns);
    QFETCH(int, weight_dtype);
    QFETCH(int, scale_dtype);
    QuantizationArgs args;
    args.num_bits = bits;
    args.symmetric = symmetric;
    args.strategy = group_size > 0 ? Strategy::Group : group_size < 0 ? Strategy::Channel : Strategy::Tensor;
    if (group_size > 0) args.group_size = group_size;
    AutoRoundOptions options;
    options.iters = 6;
    options.lr = 0.3;
    options.minmax_lr = 0.05;
    options.scale_dtype = static_cast<DType>(scale_dtype);
    const at::Tensor weight = awkward_weight(24, columns, static_cast<at::ScalarType>(weight_dtype));
    TunableWeight fused("fused", weight, args, options);
    TunableWeight reference("reference", weight, args, options, {.path = RoundingPath::Reference});
    QVERIFY(qdq_kernels(weight, to_scalar_type(options.scale_dtype)));

    QVERIFY(fused.qdq().equal(reference.qdq()));
    for (int i = 0; i < 5; ++i) {
        const at::Tensor gradient = normal(weight.sizes(), 100 + i).to(weight.scalar_type());
        for (TunableWeight* tunable : {&fused, &reference}) {
            if (i == 2) tunable->remember();
            tunable->step(gradient);
            tunable->advance_rates();
        }
        QVERIFY2(fused.v().equal(reference.v()), qPrintable(QString("v after step %1").arg(i)));
        QVERIFY2(fused.qdq().equal(reference.qdq()), qPrintable(QString("weight after step %1").arg(i)));
    }
    const TunedWeight a = fused.best(), b = reference.best();
    QVERIFY(a.v.equal(b.v) && a.min_scale.equal(b.min_scale) && a.max_scale.equal(b.max_scale));
    QVERIFY(a.quantized.equal(b.quantized) && a.qparams.scale.equal(b.qparams.scale));
    QVERIFY(!a.v.equal(fused.v()));  // what was remembered is no longer the current
}

/// SignRoundV2, whose scales may grow beyond 1.
void TestQdqKernel::agrees_from_a_searched_start() {
    QuantizationArgs args;
    args.num_bits = 3;
    args.strategy = Strategy::Group;
    args.group_size = 32;
    AutoRoundOptions options;
    options.iters = 30;
    options.lr = 0.05;
    options.minmax_lr = 0.2;
    options.lr_scheduler = LrScheduler::Constant;
    options.enable_alg_ext = true;
    const at::Tensor weight = awkward_weight(24, 96, at::kFloat), imatrix = normal({96}, 7).square();
    TunableWeight fused("fused", weight, args, options, {.imatrix = imatrix});
    TunableWeight reference("reference", weight, args, options, {.imatrix = imatrix, .path = RoundingPath::Reference});
    QVERIFY(fused.is_fused() && !reference.is_fused());
    QVERIFY(fused.qdq().equal(reference.qdq()));
    for (int i = 0; i < 12; ++i) {
        const at::Tensor gradient = normal(weight.sizes(), 200 + i);
        for (TunableWeight* tunable : {&fused, &reference}) tunable->step(gradient);
        QVERIFY2(fused.v().equal(reference.v()) && fused.qdq().equal(reference.qdq()), qPrintable(QString("step %1").arg(i)));
    }
    fused.remember();
    const TunedWeight tuned = fused.best();
    const at::Tensor most = at::maximum(tuned.min_scale, tuned.max_scale);
    QVERIFY(most.max().item<float>() > 1 && most.max().item<float>() <= 2);
}

void TestQdqKernel::block_loss_is_the_mean_squared_error_data() {
    QTest::addColumn<int>("dtype");
    QTest::addColumn<bool>("masked");
    for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
        for (const bool masked : {false, true}) {
            QTest::addRow("%s%s", at::toString(dtype), masked ? " masked" : "") << static_cast<int>(dtype) << masked;
        }
    }
}

void TestQdqKernel::block_loss_is_the_mean_squared_error() {
    QFETCH(int, dtype);
    QFETCH(bool, masked);
    const auto type = static_cast<at::ScalarType>(dtype);
    const at::Tensor output = normal({3, 17, 45}, 1).to(type), target = normal({3, 17, 45}, 2).to(type);
    at::Tensor mask;
    if (masked) mask = normal({3, 17}, 3) > 0;
    at::Tensor gradient = at::empty_like(output);
    const double loss = block_loss_kernel(output)(output, target, mask, 1000, gradient);

    at::Tensor error = output.to(at::kDouble) - target.to(at::kDouble);
    double elements = static_cast<double>(error.numel());
    if (masked) {
        error = error * mask.unsqueeze(-1);
        elements = mask.sum().item<double>() * 45;
    }
    const double expected = error.square().sum().item<double>() / elements;
    QVERIFY(std::abs(loss - expected) <= 1e-6 * expected);
    const at::Tensor expected_gradient = error * (2000.0 / elements);
    QVERIFY(at::allclose(gradient.to(at::kDouble), expected_gradient, type == at::kFloat ? 1e-5 : 1e-2, 1e-12));
}

QTEST_GUILESS_MAIN(TestQdqKernel)
#include "test_qdq_kernel.moc"
