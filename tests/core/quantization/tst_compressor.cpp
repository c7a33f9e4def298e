#include <limits>

#include <ATen/ATen.h>

#include <QtTest/QTest>

#include "core/base/error.h"
#include "core/checkpoint/compressor.h"

using namespace calibench;

namespace {

QuantizationScheme w4_group(bool symmetric = true) {
    return quantization_scheme_from_json(
        {{"targets", {"Linear"}}, {"weights", {{"num_bits", 4}, {"group_size", 8}, {"symmetric", symmetric}}}});
}

TensorLookup lookup_in(const std::vector<NamedTensor>& tensors) {
    return [tensors](const std::string& name) {
        for (const NamedTensor& entry : tensors)
            if (entry.name == name) return entry.tensor;
        return at::Tensor();
    };
}

template <typename Exception, typename Body>
QString thrown(const Body& body) {
    try {
        body();
    } catch (const Exception& error) {
        return error.what();
    }
    return "nothing was thrown";
}

}  // namespace

/// What the golden group pack does not show: learned roundings and stored modules that are damaged.
class CompressorTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void a_learned_rounding_dequantizes_to_what_was_tuned() {
        // Scales of either sign and zero points, as AutoRound leaves them.
        const at::Tensor levels = at::arange(4 * 16, at::kInt).reshape({4, 16}).remainder(16).sub(8).to(at::kChar);
        const at::Tensor scale = at::tensor({0.5f, -0.25f, 0.125f, -1.f, 2.f, 0.75f, -0.5f, 0.0625f}).reshape({4, 2});
        const at::Tensor zero_point = at::tensor({1, -3, 0, 7, -8, 2, 5, -1}).to(at::kChar).reshape({4, 2});
        const QuantizationScheme scheme = w4_group(false);
        const ModuleQParams qparams{{scale, zero_point, {}}, {}, {}};
        const auto stored = compress_quantized_linear(levels, {}, qparams, scheme, CompressionFormat::PackQuantized);
        const at::Tensor expected = (levels.to(at::kFloat) - zero_point.to(at::kFloat).repeat_interleave(8, 1)) * scale.repeat_interleave(8, 1);
        QVERIFY(at::equal(decompress_linear(lookup_in(stored), scheme, CompressionFormat::PackQuantized, at::kFloat), expected));
    }

    void scales_that_are_not_finite_are_never_stored() {
        at::Tensor scale = at::ones({4, 2});
        scale[2][1] = std::numeric_limits<float>::quiet_NaN();
        const ModuleQParams qparams{{scale, {}, {}}, {}, {}};
        const QString text = thrown<RunError>(
            [&] { (void)compress_linear(at::ones({4, 16}), {}, qparams, w4_group(), CompressionFormat::PackQuantized); });
        QVERIFY2(text.contains("weight_scale"), qPrintable(text));
    }

    void shapes_and_formats_that_do_not_fit_are_refused() {
        const ModuleQParams qparams{{at::ones({4, 3}), {}, {}}, {}, {}};
        const at::Tensor weight = at::ones({4, 16});
        QVERIFY_EXCEPTION_THROWN((void)compress_linear(weight, {}, qparams, w4_group(), CompressionFormat::PackQuantized), InputError);
        QVERIFY_EXCEPTION_THROWN((void)compress_linear(weight, {}, qparams, w4_group(), CompressionFormat::MixedPrecision), InputError);
        QVERIFY_EXCEPTION_THROWN((void)compress_linear(weight, {}, qparams, {}, CompressionFormat::PackQuantized), InputError);
        const ModuleQParams fitting{{at::ones({4, 2}), {}, {}}, {}, {}};
        QVERIFY_EXCEPTION_THROWN(
            (void)compress_quantized_linear(weight.to(at::kChar), {}, fitting, w4_group(), CompressionFormat::Nvfp4PackQuantized), InputError);
        QVERIFY_EXCEPTION_THROWN((void)compress_quantized_linear(weight, {}, fitting, w4_group(), CompressionFormat::PackQuantized), InputError);
    }

    /// [8] would broadcast against [8, 8] along the wrong side.
    void a_scale_that_merely_broadcasts_is_refused() {
        const QuantizationScheme scheme = quantization_scheme_from_json(
            {{"targets", {"Linear"}}, {"weights", {{"strategy", "channel"}}}, {"format", "int-quantized"}});
        std::vector<NamedTensor> stored{{"weight", at::ones({8, 8}, at::kChar)}, {"weight_scale", at::ones({8, 1})}};
        const auto weight = [&] { return decompress_linear(lookup_in(stored), scheme, CompressionFormat::IntQuantized, at::kFloat); };
        QVERIFY(at::equal(weight(), at::ones({8, 8})));
        stored[1].tensor = at::ones({8});
        QVERIFY_EXCEPTION_THROWN((void)weight(), InputError);
        stored[1].tensor = at::ones({8, 1}, at::kInt);
        QVERIFY_EXCEPTION_THROWN((void)weight(), InputError);
    }

    void damaged_modules_are_refused_data() {
        QTest::addColumn<QString>("tensor");
        QTest::addColumn<QString>("damage");
        for (const char* tensor : {"weight_packed", "weight_scale", "weight_shape", "weight_zero_point"}) {
            QTest::addRow("%s missing", tensor) << tensor << "missing";
            QTest::addRow("%s of another shape", tensor) << tensor << "shape";
        }
        QTest::newRow("weight_packed of another dtype") << "weight_packed" << "dtype";
        QTest::newRow("weight_shape of another dtype") << "weight_shape" << "dtype";
        QTest::newRow("weight_shape too large") << "weight_shape" << "value";
    }

    void damaged_modules_are_refused() {
        QFETCH(QString, tensor);
        QFETCH(QString, damage);
        const ModuleQParams qparams{{at::ones({4, 2}), at::zeros({4, 2}, at::kChar), {}}, {}, {}};
        auto stored = compress_linear(at::ones({4, 16}), {}, qparams, w4_group(false), CompressionFormat::PackQuantized);
        for (NamedTensor& entry : stored) {
            if (QString::fromStdString(entry.name) != tensor) continue;
            if (damage == "missing") entry.tensor.reset();
            else if (damage == "dtype") entry.tensor = entry.tensor.to(at::kDouble);
            else if (damage == "value") entry.tensor = entry.tensor * (int64_t{1} << 40);
            else entry.tensor = at::cat({entry.tensor, entry.tensor});
        }
        QVERIFY_EXCEPTION_THROWN(
            (void)decompress_linear(lookup_in(stored), w4_group(false), CompressionFormat::PackQuantized, at::kFloat), InputError);
    }
};

QTEST_APPLESS_MAIN(CompressorTest)
#include "tst_compressor.moc"
