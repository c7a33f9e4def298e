#include <limits>

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include <QtTest/QTest>

#include "core/kernels/cpu/all_finite.h"
#include "core/kernels/cpu/column_range.h"
#include "core/kernels/cpu/float_scales.h"
#include "core/kernels/cpu/group_rounding.h"
#include "core/kernels/cpu/squared_error.h"
#include "core/quantization/activation_quantizer.h"
#include "core/quantization/packing.h"

using namespace calibench;

Q_DECLARE_METATYPE(at::ScalarType)

namespace {

at::Tensor random_values(at::IntArrayRef shape, uint64_t seed) {
    at::Generator generator = at::detail::createCPUGenerator(seed);
    const at::Tensor normal = at::randn(shape, generator, at::TensorOptions(at::kFloat));
    return normal * (at::rand(shape, generator, at::TensorOptions(at::kFloat)) < 0.02).to(at::kFloat).mul(6).add(1);
}

/// Equal in every bit but the sign of zeros, which equal() does not tell apart; so their reciprocals are compared as well.
bool same_bits(const at::Tensor& a, const at::Tensor& b) {
    return a.equal(b) && (!a.is_floating_point() || a.reciprocal().equal(b.reciprocal()));
}

}  // namespace

/// The fused loops against the tensor operations they stand for, at shapes that make vectors, pieces and threads end unevenly.
class RoundingLoops : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void quantizers_that_round_alike_round_once() {
        QuantizationArgs args;
        args.num_bits = 8;
        args.strategy = Strategy::Tensor;
        const auto scale = [](double value) { return QParams{at::full({1}, value), {}, {}}; };
        SharedQuantizers shared;
        const ActivationQuantizer query = shared.make(args, scale(0.1)), key = shared.make(args, scale(0.1)), other = shared.make(args, scale(0.2));
        const at::Tensor x = random_values({3, 64}, 1), expected = make_activation_quantizer(args, scale(0.1))(x);
        const at::Tensor rounded = query(x);
        QVERIFY(same_bits(rounded, expected));
        QVERIFY(key(x).is_same(rounded));
        QVERIFY(same_bits(other(x), make_activation_quantizer(args, scale(0.2))(x)));
        for (uint64_t seed = 2; seed < 20; ++seed) {  // what comes where another tensor lay is not taken for it
            const at::Tensor next = random_values({3, 64}, seed);
            QVERIFY(same_bits(query(next), make_activation_quantizer(args, scale(0.1))(next)));
        }
        const at::Tensor tuned = x.clone().requires_grad_();
        QVERIFY(query(tuned).requires_grad() && !query(tuned).is_same(query(tuned)));
    }

    void values_are_rounded_as_by_tensor_operations_data() {
        QTest::addColumn<at::ScalarType>("dtype");
        QTest::addColumn<int>("runs");
        QTest::addColumn<int>("size");
        QTest::addColumn<int>("bits");
        QTest::addColumn<bool>("zero_point");
        for (const auto& [name, dtype] : {std::pair("float32", at::kFloat), std::pair("bfloat16", at::kBFloat16)})
            for (const bool zero_point : {false, true})
                for (const auto& [runs, size, bits] : {std::tuple(300, 64, 4), std::tuple(1000, 20, 2), std::tuple(7, 3, 3), std::tuple(40, 4097, 8), std::tuple(1, 100003, 8)})
                    QTest::addRow("%s, %d runs of %d, %d bits%s", name, runs, size, bits, zero_point ? ", zero point" : "")
                        << dtype << runs << size << bits << zero_point;
    }

    void values_are_rounded_as_by_tensor_operations() {
        QFETCH(at::ScalarType, dtype);
        QFETCH(int, runs);
        QFETCH(int, size);
        QFETCH(int, bits);
        QFETCH(bool, zero_point);
        const IntegerLevels levels{-std::ldexp(1.0f, bits - 1), std::ldexp(1.0f, bits - 1) - 1};
        at::Tensor x = random_values({runs, size}, 1).to(dtype);
        x[0][0] = -0.0f;
        x[0][1] = 1e30f;
        const at::Tensor scale = (random_values({runs, 1}, 2).abs() * 0.05 + 0.3).to(dtype);
        RunScales scales{scale, zero_point ? at::randint(int64_t(levels.low), int64_t(levels.high) + 1, {runs, 1}, at::kChar) : at::Tensor()};
        const at::Tensor offset = zero_point ? scales.zero_point.to(dtype) : at::zeros({1}, dtype);

        at::Tensor level = x / scale;
        if (zero_point) level = level + offset;
        level = level.clamp(levels.low, levels.high).round();
        at::Tensor value = level;
        if (zero_point) value = value - offset;
        value = value * scale;

        QVERIFY(has_rounding_loop(x, scales));
        const at::Tensor quantized = quantize_runs(x, scales, levels);
        QVERIFY(quantized.equal(level.to(at::kChar)));
        QVERIFY(dequantize_runs(quantized, scales).equal(value));
        QVERIFY(same_bits(fake_quantize_runs(x, scales, levels), value));
    }

    /// Every pair of mantissas, so that every quotient in the middle between two bfloat16 is among them, at scales of usual and extreme size.
    void quotients_are_those_of_division() {
        const at::Tensor mantissas = at::arange(128, 256, at::kFloat);
        const IntegerLevels levels{-128, 127};
        for (const int exponent : {-133, -108, -107, -10, 0, 3, 92, 93, 119}) {
            const at::Tensor scale = (mantissas * std::ldexp(1.0, exponent)).to(at::kBFloat16).unsqueeze(1);
            for (const int shift : {-9, -3, -1, 0, 2, 5, 6, 9}) {
                const at::Tensor x = at::cat({mantissas, -mantissas}).mul(std::ldexp(1.0, shift)).expand({128, 256}).mul(std::ldexp(1.0, exponent)).to(at::kBFloat16).contiguous();
                for (const bool signed_too : {false, true}) {
                    const RunScales scales{signed_too ? -scale : scale, at::ones({128, 1}, at::kChar)};
                    const at::Tensor level = (x / scales.scale + 1).clamp(levels.low, levels.high).round();
                    QVERIFY(quantize_runs(x, scales, levels).equal(level.to(at::kChar)));
                    const RunScales symmetric{scales.scale, {}};
                    QVERIFY(same_bits(fake_quantize_runs(x, symmetric, levels), (x / scales.scale).clamp(levels.low, levels.high).round() * scales.scale));
                }
            }
        }
    }

    void scales_are_those_of_tensor_operations_data() {
        QTest::addColumn<at::ScalarType>("dtype");
        QTest::addColumn<int>("bits");
        QTest::addColumn<bool>("symmetric");
        for (const auto& [name, dtype] : {std::pair("float32", at::kFloat), std::pair("bfloat16", at::kBFloat16)})
            for (const int bits : {2, 4, 8})
                for (const bool symmetric : {true, false})
                    QTest::addRow("%s, %d bits, %s", name, bits, symmetric ? "symmetric" : "asymmetric") << dtype << bits << symmetric;
    }

    void scales_are_those_of_tensor_operations() {
        QFETCH(at::ScalarType, dtype);
        QFETCH(int, bits);
        QFETCH(bool, symmetric);
        const IntegerLevels levels{-std::ldexp(1.0f, bits - 1), std::ldexp(1.0f, bits - 1) - 1};
        at::Tensor min = (random_values({411, 9}, 3) - 1).to(dtype), max = min + random_values({411, 9}, 4).abs().to(dtype);
        min[0][0] = max[0][0] = 0;

        const at::Tensor low = min.clamp_max(0), high = max.clamp_min(0), range = at::scalar_tensor(levels.high - levels.low, dtype);
        at::Tensor scale = symmetric ? at::maximum(low.abs(), high) / (range / 2) : (high - low) / range;
        const at::Tensor zero_point = symmetric ? at::zeros_like(scale) : (levels.low - low / scale).clamp(levels.low, levels.high).round().nan_to_num(0.0);
        scale = at::where(scale == 0, at::scalar_tensor(dtype == at::kFloat ? std::numeric_limits<float>::epsilon() : 0.0078125f, dtype), scale);

        const RunScales found = scales_of_ranges(min, max, levels, symmetric);
        QVERIFY(found.scale.equal(scale));
        QVERIFY(found.zero_point.equal(zero_point.to(at::kChar)));
    }

    void float_groups_get_the_scales_of_tensor_operations() {
        for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
            // Of all magnitudes, among them zero and those that no normal number is.
            const at::Tensor exponents = at::arange(-140, 127, at::kFloat).unsqueeze(1), mantissas = at::tensor({1.0f, 1.3f, 1.5f, 1.749f, 1.75f, 1.96f});
            const at::Tensor max = at::cat({at::pow(2.0, exponents.to(at::kDouble)).mul(mantissas).to(dtype).flatten(), at::zeros({3}, dtype)});
            const at::Tensor min = max.flip(0).neg(), absmax = at::maximum(max, min.neg());

            const at::ScalarType word = dtype == at::kFloat ? at::kInt : at::kShort;
            const int mantissa_bits = dtype == at::kFloat ? 23 : 7;
            const at::Tensor power = absmax.view(word).to(at::kLong).add(int64_t{1} << (mantissa_bits - 2)).bitwise_and(-(int64_t{1} << mantissa_bits)).to(word).view(dtype);
            const at::Tensor stored = power.log2().floor().add(127).sub(2).clamp(0, 255).to(at::kByte);
            const at::Tensor binary = at::pow(at::Scalar(2.0), (stored.to(at::kInt) - 127).to(at::kFloat)).to(dtype);
            QVERIFY(same_bits(binary_scales_of_ranges(min, max, 2), binary));
            QVERIFY(binary.min().item<double>() > 0);

            for (const float global_scale : {1.0f, 1e-30f, 2688.0f, 3e4f}) {
                const at::Tensor scale = (at::tensor({global_scale}) * (absmax / at::scalar_tensor(6, dtype))).clamp(-448, 448).to(at::kFloat8_e4m3fn).to(at::kFloat);
                QVERIFY(same_bits(float8_scales_of_ranges(min, max, 6, global_scale), at::where(scale == 0, at::scalar_tensor(0.125f), scale)));
            }
        }
    }

    void columns_have_their_ranges() {
        for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16, at::kHalf})
            for (const auto& [rows, columns] : {std::pair(1, 1), std::pair(37, 5), std::pair(1000, 577), std::pair(3, 70001)}) {
                at::Tensor x = random_values({rows, columns}, 5).to(dtype);
                const auto check = [&] {
                    const auto [min, max] = column_min_max(x);
                    QVERIFY(at::allclose(min, x.amin(0).to(at::kFloat), 0, 0, /*equal_nan=*/true));
                    QVERIFY(at::allclose(max, x.amax(0).to(at::kFloat), 0, 0, /*equal_nan=*/true));
                };
                check();
                x[rows - 1][columns - 1] = std::numeric_limits<float>::infinity();
                check();
                x[rows / 2][columns / 2] = std::numeric_limits<float>::quiet_NaN();
                check();
            }
    }

    void what_is_not_finite_is_found_wherever_it_stands() {
        for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16, at::kHalf, at::kDouble})
            for (const float value : {std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()})
                for (const int64_t position : {int64_t{0}, int64_t{17}, int64_t{200002}}) {
                    at::Tensor x = at::full({200003}, 60000.0, dtype);
                    QVERIFY(all_finite(x));
                    x[position] = value;
                    QVERIFY(!all_finite(x));
                }
        QVERIFY(all_finite(at::empty({0})));
    }

    void errors_are_summed() {
        for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16, at::kHalf}) {
            const at::Tensor exact = random_values({513, 77}, 6).to(dtype), near = (exact + random_values({513, 77}, 7).to(dtype) * 0.1).to(dtype);
            const SquaredError found = squared_error(exact, near);
            const double signal = exact.to(at::kDouble).square().sum().item<double>();
            const double noise = (exact.to(at::kDouble) - near.to(at::kDouble)).square().sum().item<double>();
            QVERIFY2(std::abs(found.signal / signal - 1) < 1e-6, qPrintable(QString::number(found.signal / signal - 1)));
            QVERIFY2(std::abs(found.noise / noise - 1) < 1e-6, qPrintable(QString::number(found.noise / noise - 1)));
        }
        QCOMPARE(squared_error(at::ones({3, 3}), at::ones({3, 3}, at::kBFloat16)).noise, 0.0);
    }

    void codes_are_a_stream_of_bits_data() {
        QTest::addColumn<int>("bits");
        for (int bits = 1; bits <= 8; ++bits) QTest::addRow("%d bits", bits) << bits;
    }

    /// Value by value, where the loop moves eight at once.
    void codes_are_a_stream_of_bits() {
        QFETCH(int, bits);
        for (const int columns : {1, 7, 8, 33, 64, 101}) {
            const int half = 1 << (bits - 1);
            const at::Tensor values = at::randint(-half, half, {5, columns}, at::kChar);
            const int64_t words = (columns * bits + 31) / 32;
            at::Tensor expected = at::zeros({5, words}, at::kInt);
            for (int row = 0; row < 5; ++row)
                for (int bit = 0; bit < columns * bits; ++bit) {
                    const int code = values[row][bit / bits].item<int>() + half;
                    if (code >> (bit % bits) & 1) expected[row][bit / 32] += static_cast<int32_t>(1u << (bit % 32));
                }
            const at::Tensor packed = pack_to_int32(values, bits);
            QVERIFY(packed.equal(expected));
            QVERIFY(unpack_from_int32(packed, bits, values.sizes()).equal(values));
        }
    }
};

QTEST_APPLESS_MAIN(RoundingLoops)
#include "tst_rounding_loops.moc"
