#include <cmath>
#include <limits>

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include <QtTest/QTest>

#include "core/base/error.h"
#include "core/quantization/fake_quantize.h"
#include "core/quantization/packing.h"

using namespace calibench;
using nlohmann::json;

namespace {

/// Normal values with a few outliers, as weights are.
at::Tensor heavy_tailed(at::IntArrayRef shape, uint64_t seed) {
    at::Generator generator = at::detail::createCPUGenerator(seed);
    const at::Tensor normal = at::randn(shape, generator, at::TensorOptions(at::kFloat));
    const at::Tensor rare = at::rand(shape, generator, at::TensorOptions(at::kFloat)) < 0.01;
    return at::where(rare, normal * 8, normal) * 0.05;
}

/// Smallest and largest value of each scale's share of a weight.
std::pair<at::Tensor, at::Tensor> ranges(const at::Tensor& weight, const QuantizationArgs& args) {
    const int64_t group = args.group_size.value_or(weight.size(1));
    at::Tensor parts = args.strategy == Strategy::Tensor ? weight.reshape({1, -1}) : weight.unflatten(1, {-1, group});
    if (args.strategy == Strategy::Tensor) return {parts.amin(1), parts.amax(1)};
    return {parts.amin(-1), parts.amax(-1)};
}

QParams min_max_qparams(const at::Tensor& weight, const QuantizationArgs& args) {
    const auto [low, high] = ranges(weight, args);
    QParams qparams;
    if (args.strategy == Strategy::TensorGroup) qparams.global_scale = generate_gparam(weight.min(), weight.max());
    const ScaleAndZeroPoint found = calculate_qparams(low, high, args, qparams.global_scale);
    qparams.scale = found.scale;
    qparams.zero_point = found.zero_point;
    return qparams;
}

/// The scale of every element.
at::Tensor spread(const at::Tensor& scale, const at::Tensor& weight) {
    if (scale.numel() == 1) return scale.expand(weight.sizes());
    return scale.repeat_interleave(weight.size(1) / scale.size(1), 1);
}

const json weight_schemes = json::parse(R"({
    "int2 tensor": {"num_bits": 2}, "int3 channel": {"num_bits": 3, "strategy": "channel"},
    "int4 group": {"num_bits": 4, "group_size": 16}, "int8 group": {"num_bits": 8, "group_size": 32}, "int1 group": {"num_bits": 1, "group_size": 8}
})");

}  // namespace

/// What must hold for any data, whatever the reference's bits are.
class QuantizationProperties : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void values_return_within_half_a_step_data() {
        QTest::addColumn<QString>("scheme");
        QTest::addColumn<bool>("symmetric");
        for (const auto& [name, scheme] : weight_schemes.items())
            for (const bool symmetric : {true, false})
                QTest::addRow("%s %s", name.c_str(), symmetric ? "symmetric" : "asymmetric")
                    << QString::fromStdString(scheme.dump()) << symmetric;
    }

    void values_return_within_half_a_step() {
        QFETCH(QString, scheme);
        QFETCH(bool, symmetric);
        json object = json::parse(scheme.toStdString());
        object["symmetric"] = symmetric;
        const QuantizationArgs args = quantization_args_from_json(object);
        for (uint64_t seed = 0; seed < 5; ++seed) {
            const at::Tensor weight = heavy_tailed({24, 96}, seed);
            const QParams qparams = min_max_qparams(weight, args);
            const at::Tensor q = quantize(weight, qparams, args, at::kChar);
            const at::Tensor restored = dequantize(q, qparams, args);
            QVERIFY(at::equal(restored, fake_quantize(weight, qparams, args)));

            // Inside what the levels can reach; a symmetric range of 2^b levels is cut by half a step at its upper end.
            const QuantizationRange range = quantization_range(args);
            const at::Tensor step = spread(qparams.scale, weight);
            const at::Tensor zero = spread(qparams.zero_point, weight).to(at::kFloat);
            const at::Tensor reachable = (weight >= (range.min - zero) * step).logical_and(weight <= (range.max - zero) * step);
            const at::Tensor error = (weight - restored).abs();
            QVERIFY(reachable.any().item<bool>());
            QVERIFY(error.masked_select(reachable).le(step.masked_select(reachable) * 0.50001).all().item<bool>());
            // and never more than one step anywhere: the range holds the data
            QVERIFY(error.le(step * 1.00001).all().item<bool>());
        }
    }

    void floats_return_within_half_a_step_data() {
        QTest::addColumn<QString>("scheme");
        QTest::newRow("fp8 channel") << R"({"num_bits": 8, "type": "float", "strategy": "channel"})";
        QTest::newRow("fp4 group") << R"({"num_bits": 4, "type": "float", "group_size": 16})";
        QTest::newRow("nvfp4") << R"({"num_bits": 4, "type": "float", "strategy": "tensor_group", "group_size": 16,
                                      "scale_dtype": "torch.float8_e4m3fn"})";
    }

    void floats_return_within_half_a_step() {
        QFETCH(QString, scheme);
        const QuantizationArgs args = quantization_args_from_json(json::parse(scheme.toStdString()));
        const at::Tensor weight = heavy_tailed({16, 64}, 7);
        const QParams qparams = min_max_qparams(weight, args);
        const at::Tensor scale = qparams.global_scale.defined() ? qparams.scale / qparams.global_scale : qparams.scale;
        // A float's step is 2^-mantissa_bits of its power of two: half of it is at most 1/4 (e2m1) or 1/16 (e4m3) of the value.
        const bool fp4 = args.num_bits == 4;
        const at::Tensor step = spread(scale, weight);
        const at::Tensor inside = weight.abs() <= step * quantization_range(args).max;
        const at::Tensor smallest = step * (fp4 ? 0.25 : std::ldexp(1.0, -10));
        const at::Tensor bound = at::maximum(weight.abs() * (fp4 ? 0.25 : 0.0625), smallest) * 1.0001;
        const at::Tensor error = (weight - fake_quantize(weight, qparams, args)).abs();
        QVERIFY(inside.any().item<bool>());
        QVERIFY(error.masked_select(inside).le(bound.masked_select(inside)).all().item<bool>());
    }

    void every_level_survives_quantization_and_packing_data() {
        QTest::addColumn<int>("num_bits");
        for (int bits = 1; bits <= 8; ++bits) QTest::addRow("%d bits", bits) << bits;
    }

    void every_level_survives_quantization_and_packing() {
        QFETCH(int, num_bits);
        const QuantizationArgs args = quantization_args_from_json({{"num_bits", num_bits}});
        const QuantizationRange range = quantization_range(args);
        const at::Tensor levels = at::arange(range.min, range.max + 1, at::kFloat).reshape({1, -1}).repeat({3, 5}).contiguous();
        const QParams qparams{at::full({1}, 0.37f), at::zeros({1}, at::kChar), {}};
        const at::Tensor q = quantize(levels * 0.37f, qparams, args, at::kChar);
        QVERIFY(at::equal(q.to(at::kFloat), levels));
        for (const int packed_dim : {0, 1})
            QVERIFY(at::equal(unpack_from_int32(pack_to_int32(q, num_bits, packed_dim), num_bits, q.sizes(), packed_dim), q));
    }

    void a_range_that_is_not_finite_is_reported_data() {
        QTest::addColumn<double>("value");
        QTest::addColumn<QString>("count");
        QTest::newRow("NaN") << std::nan("") << "2 NaN and 0 infinite of 6";
        QTest::newRow("infinity") << std::numeric_limits<double>::infinity() << "0 NaN and 2 infinite of 6";
        QTest::newRow("minus infinity") << -std::numeric_limits<double>::infinity() << "0 NaN and 2 infinite of 6";
    }

    void a_range_that_is_not_finite_is_reported() {
        QFETCH(double, value);
        QFETCH(QString, count);
        at::Tensor low = at::zeros({3});
        at::Tensor high = at::ones({3});
        require_finite_range(low, high, "model.layers.3.mlp.up_proj", "weight");  // must not throw
        low[1] = value;
        high[2] = value;
        try {
            require_finite_range(low, high, "model.layers.3.mlp.up_proj", "weight");
            QFAIL("the range was accepted");
        } catch (const RunError& error) {
            const QString text = error.what();
            QVERIFY2(text.contains("model.layers.3.mlp.up_proj") && text.contains("weight") && text.contains(count), error.what());
        }
    }

    void column_order_of_older_checkpoints_is_undone() {
        const QuantizationArgs args = quantization_args_from_json({{"num_bits", 4}, {"group_size", 4}});
        const at::Tensor weight = heavy_tailed({3, 12}, 11);
        const at::Tensor g_idx = at::tensor({2, 0, 1, 1, 0, 2, 2, 0, 1, 0, 1, 2}, at::kInt);
        const at::Tensor order = at::argsort(g_idx, /*stable=*/true);
        const at::Tensor sorted = weight.index_select(1, order);
        const QParams qparams = min_max_qparams(sorted, args);
        const at::Tensor q = quantize(weight, qparams, args, at::kChar, g_idx);
        QVERIFY(at::equal(q.index_select(1, order), quantize(sorted, qparams, args, at::kChar)));
        QVERIFY(at::equal(dequantize(q, qparams, args, {}, g_idx).index_select(1, order), dequantize(q.index_select(1, order), qparams, args)));
        QVERIFY(at::equal(quantize(weight, qparams, args, at::kChar, at::full_like(g_idx, -1)), quantize(weight, qparams, args, at::kChar)));
    }

    void large_weights_are_worked_on_in_slices_data() {
        QTest::addColumn<QString>("scheme");
        QTest::addColumn<int>("height");
        QTest::newRow("group") << R"({"num_bits": 4, "group_size": 64, "symmetric": false})" << 1;
        QTest::newRow("channel") << R"({"num_bits": 8, "strategy": "channel", "symmetric": false})" << 1;
        QTest::newRow("tensor") << R"({"num_bits": 8, "strategy": "tensor"})" << 0;
        QTest::newRow("ragged blocks") << R"({"num_bits": 8, "type": "float", "strategy": "block", "block_structure": [128, 128]})" << 128;
    }
    /// A slice of a whole is what the slice is alone.
    void large_weights_are_worked_on_in_slices() {
        QFETCH(QString, scheme);
        QFETCH(int, height);
        const QuantizationArgs args = quantization_args_from_json(json::parse(scheme.toStdString()));
        const int64_t rows = 2500, columns = 4096, half = 1280;
        const at::Tensor weight = heavy_tailed({rows, columns}, 3);
        const std::vector<int64_t> shape = height == 0 ? std::vector<int64_t>{1} : weight_scale_shape(args, rows, columns);
        QParams qparams{at::rand(shape, at::detail::createCPUGenerator(5), at::TensorOptions(at::kFloat)) * 0.01 + 0.001, {}, {}};
        if (!args.symmetric) qparams.zero_point = (at::rand(shape, at::detail::createCPUGenerator(6), at::TensorOptions(at::kFloat)) * 4).to(at::kChar);
        const auto part = [&](int64_t begin, int64_t end) {
            QParams some = qparams;
            if (height > 0)
                for (at::Tensor* tensor : {&some.scale, &some.zero_point})
                    if (tensor->defined()) *tensor = tensor->slice(0, begin / height, (end + height - 1) / height);
            return some;
        };
        const at::Tensor q = quantize(weight, qparams, args), restored = dequantize(q, qparams, args), faked = fake_quantize(weight, qparams, args);
        for (const auto& [begin, end] : {std::pair(int64_t{0}, half), std::pair(half, rows)}) {
            const at::Tensor alone = quantize(weight.slice(0, begin, end), part(begin, end), args);
            QVERIFY(at::equal(q.slice(0, begin, end), alone));
            QVERIFY(at::equal(restored.slice(0, begin, end), dequantize(alone, part(begin, end), args)));
            QVERIFY(at::equal(faked.slice(0, begin, end), fake_quantize(weight.slice(0, begin, end), part(begin, end), args)));
        }
        QVERIFY(q.is_contiguous());
    }

    void shapes_that_do_not_fit_are_refused() {
        const QuantizationArgs channel = quantization_args_from_json({{"strategy", "channel"}});
        const at::Tensor weight = at::ones({4, 8});
        QVERIFY_EXCEPTION_THROWN((void)quantize(weight, {at::ones({3, 1}), {}, {}}, channel), InputError);
        QVERIFY_EXCEPTION_THROWN((void)quantize(weight, {}, channel), InputError);
        QVERIFY_EXCEPTION_THROWN((void)calculate_qparams(at::zeros({2}), at::zeros({3}), channel), InputError);
        QVERIFY_EXCEPTION_THROWN((void)weight_scale_shape(quantization_args_from_json({{"group_size", 5}}), 4, 8), InputError);
        QVERIFY_EXCEPTION_THROWN((void)unpack_from_int32(at::zeros({4, 1}, at::kInt), 4, {4, 9}), InputError);
        QVERIFY_EXCEPTION_THROWN((void)unpack_from_int32(at::zeros({4, 2}, at::kInt), 4, {4, -9}), InputError);
        QVERIFY_EXCEPTION_THROWN((void)unpack_fp4_from_uint8(at::zeros({4, 2}, at::kByte), 4, 6, at::kFloat), InputError);
    }
};

QTEST_APPLESS_MAIN(QuantizationProperties)
#include "tst_quantization_properties.moc"
