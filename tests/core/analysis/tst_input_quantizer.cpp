#include <cmath>

#include <ATen/ATen.h>
#include <QTest>

#include "core/analysis/input_quantizer.h"
#include "core/base/error.h"

using namespace calibench;

namespace {

/// Every token is 0, 1, 2 .. 255, so that what rounding does to it can be worked out by hand.
at::Tensor ramps(int64_t tokens) { return at::arange(256, at::kFloat).expand({1, tokens, 256}).contiguous(); }

InputQuantizer quantizer_of(const at::Tensor& inputs, bool with_calls = true) {
    ActivationSketcher sketcher(1);
    ChannelSketch channels;
    const auto range = sketcher.observe(inputs, channels);
    return {"the.module", sketcher.finish(), with_calls ? at::tensor({range.min, range.max}).view({1, 2}) : at::Tensor(), at::kFloat};
}

double decibels(double ratio) { return 10 * std::log10(ratio); }

constexpr double energy_of_ramp = 255.0 * 256 * 511 / 6;

}  // namespace

/// What a sketch answers, and what it cannot. That it answers as a run would is for tst_input_inspection.
class InputQuantizerTest : public QObject {
    Q_OBJECT
private Q_SLOTS:
    void knows_the_noise_of_a_scale_per_token() {
        QuantizationArgs args{.num_bits = 4, .symmetric = false, .strategy = Strategy::Token, .dynamic = Dynamic::Yes};
        // 16 levels, 17 apart: the errors -8 .. 8, each fifteen times.
        const double noise = 15 * 2 * (8.0 * 9 * 17 / 6);
        const InputAnswer answer = quantizer_of(ramps(3)).answer(args);
        QVERIFY2(std::abs(answer.sqnr_db - decibels(energy_of_ramp / noise)) < 0.01, qPrintable(QString::number(answer.sqnr_db)));
        QVERIFY(answer.sqnr_error_db < 0.01);
        QCOMPARE(answer.clipped_share, 0.0);
        args.num_bits = 8;  // a level for every value
        QVERIFY(quantizer_of(ramps(3)).answer(args).sqnr_db > 100);
    }

    void knows_static_scales_and_what_they_clip() {
        const QuantizationArgs args{.num_bits = 8, .symmetric = false, .strategy = Strategy::Tensor, .observer = "static_minmax"};
        const InputAnswer whole = quantizer_of(ramps(2)).answer(args);
        QCOMPARE(whole.scale, 1.0);
        QCOMPARE(whole.zero_point, -128.0);
        QCOMPARE(whole.clipped_share, 0.0);

        // A call that saw half of the range made the scale.
        ActivationSketcher sketcher(1);
        ChannelSketch channels;
        (void)sketcher.observe(ramps(2), channels);
        const InputQuantizer narrow("the.module", sketcher.finish(), at::tensor({0.0f, 127.5f, 0.0f, 255.0f}).view({2, 2}), at::kFloat);
        QuantizationArgs moving = args;
        moving.observer = "minmax";
        moving.observer_kwargs = {{"averaging_constant", 0.0}};  // the first call's counts
        const InputAnswer clipped = narrow.answer(moving);
        QCOMPARE(clipped.scale, 0.5);
        QVERIFY(std::abs(clipped.clipped_share - 0.5) <= clipped.clipped_error + 1e-9);
        QVERIFY(clipped.sqnr_db < whole.sqnr_db - 20);
    }

    void refuses_what_the_sketch_does_not_know_data() {
        QTest::addColumn<QString>("case_");
        QTest::addColumn<QString>("said");
        QTest::newRow("too few tokens") << "few" << "The run saw too few tokens of the.module.";
        QTest::newRow("no calls") << "experts" << "Static scales of experts come from a pass";
        QTest::newRow("asymmetric floats") << "float" << "symmetric floats only";
        QTest::newRow("one bit") << "bit" << "integers of 2 to 8 bits and floats of 4 or 8";
        QTest::newRow("rounded scales of integers") << "scales" << "rounded scales of MXFP4, MXFP8 and NVFP4 only";
        QTest::newRow("NVFP4 of experts") << "nvfp4 experts" << "each has a global scale of its own";
        QTest::newRow("NVFP4 by another observer") << "nvfp4 mse" << "static_minmax and memoryless_minmax only";
    }
    void refuses_what_the_sketch_does_not_know() {
        QFETCH(QString, case_);
        QFETCH(QString, said);
        QuantizationArgs args{.strategy = Strategy::Tensor, .observer = "static_minmax"};
        const QuantizationArgs nvfp4{.num_bits = 4, .type = QuantizationType::Float, .group_size = 16, .strategy = Strategy::TensorGroup,
                                     .dynamic = Dynamic::Local, .scale_dtype = DType::Float8E4M3, .observer = case_ == "nvfp4 mse" ? "mse" : "static_minmax"};
        if (case_ == "float") args = {.type = QuantizationType::Float, .symmetric = false, .strategy = Strategy::Token, .dynamic = Dynamic::Yes};
        if (case_ == "bit") args = {.num_bits = 1, .strategy = Strategy::Token, .dynamic = Dynamic::Yes};
        if (case_ == "scales") args = {.group_size = 32, .strategy = Strategy::Group, .dynamic = Dynamic::Yes, .scale_dtype = DType::Float8E4M3};
        if (case_.startsWith("nvfp4")) args = nvfp4;
        try {
            const bool by_expert = case_ == "nvfp4 experts";
            if (case_ == "few") (void)InputQuantizer("the.module", {}, at::zeros({1, 2}), at::kFloat).answer(args);
            else (void)quantizer_of(by_expert ? ramps(3).squeeze(0) : ramps(3), case_ != "experts").answer(args);
            QFAIL("it was answered");
        } catch (const InputError& error) {
            QVERIFY2(QString(error.what()).contains(said), error.what());
        }
    }
};

QTEST_GUILESS_MAIN(InputQuantizerTest)
#include "tst_input_quantizer.moc"
