#include <QtTest/QTest>

#include <ATen/ATen.h>

#include "core/autoround/opt_rtn.h"
#include "core/autoround/weight_rounding.h"
#include "core/models/safetensors.h"
#include "core/quantization/fake_quantize.h"

using namespace calibench;

/// Against auto-round's own search: tests/data/autoround/make_opt_rtn.py.
class TestOptRtn : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void searches_as_auto_round_data() { add_cases(); }
    void searches_as_auto_round() {
        QFETCH(int, bits);
        QFETCH(int, group_size);
        WeightRoundingInputs inputs;
        inputs.weight = of("weight");
        inputs.imatrix = of("imatrix");
        inputs.bits = bits;
        inputs.group_size = group_size;
        const WeightRounding rounding = quant_tensor_opt_rtn_sym(inputs);
        QVERIFY(rounding.scale.reshape(-1).equal(of("scale").reshape(-1)));
        QVERIFY(rounding.qdq.equal(of("qdq")));
    }

    void stores_what_it_found_data() { add_cases(); }
    void stores_what_it_found() {
        QFETCH(int, bits);
        QFETCH(int, group_size);
        QuantizationArgs args;
        args.num_bits = bits;
        args.strategy = group_size > 0 ? Strategy::Group : Strategy::Channel;
        if (group_size > 0) args.group_size = group_size;
        const at::Tensor weight = of("weight");
        QVERIFY(has_opt_rtn(args));
        const OptimalRounding rounding = opt_rtn(weight, args, of("imatrix"), weight.scalar_type());
        QVERIFY(dequantize(rounding.quantized, rounding.qparams, args).equal(of("qdq")));
    }

    void imatrix_is_the_mean_square_of_the_inputs() {
        InputEnergy energy;
        QVERIFY(!energy.imatrix().defined());
        const at::Tensor inputs = at::arange(24, at::kFloat).view({3, 2, 4});
        energy.observe(inputs.slice(0, 0, 2));
        energy.observe(inputs.slice(0, 2, 3));
        QVERIFY(at::allclose(energy.imatrix(), inputs.square().sum(at::IntArrayRef{0, 1}) / 3));
    }

    void columns_that_matter_are_rounded_better() {
        const at::Tensor weight = of_case("w4_g32", "weight");
        QuantizationArgs args;
        args.num_bits = 3;
        args.strategy = Strategy::Group;
        args.group_size = 32;
        at::Tensor imatrix = at::ones({64});
        imatrix.slice(0, 0, 4) = 1000;
        const auto error = [&](const at::Tensor& importance) {
            const OptimalRounding rounding = opt_rtn(weight, args, importance, at::kFloat);
            return ((dequantize(rounding.quantized, rounding.qparams, args) - weight).square() * imatrix).sum().item<double>();
        };
        QVERIFY(error(imatrix) < 0.8 * error({}));
    }

private:
    static void add_cases() {
        QTest::addColumn<int>("bits");
        QTest::addColumn<int>("group_size");
        QTest::newRow("w4_g32") << 4 << 32;
        QTest::newRow("w2_g32_bf16") << 2 << 32;
        QTest::newRow("w8_channel") << 8 << -1;
        QTest::newRow("w4_g32_some_dead") << 4 << 32;
        QTest::newRow("w4_g32_most_dead") << 4 << 32;
        QTest::newRow("w3_g32_most_dead") << 3 << 32;
    }
    [[nodiscard]] at::Tensor of_case(const std::string& test, const char* name) const { return file_.tensor(test + "." + name).clone(); }
    [[nodiscard]] at::Tensor of(const char* name) const { return of_case(QTest::currentDataTag(), name); }

    SafetensorsFile file_{CALIBENCH_TEST_DATA "/autoround/opt_rtn.safetensors"};
};

QTEST_GUILESS_MAIN(TestOptRtn)
#include "test_opt_rtn.moc"
