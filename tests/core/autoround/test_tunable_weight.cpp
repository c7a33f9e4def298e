#include <QtTest/QTest>

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include "core/autoround/error_feedback.h"
#include "core/autoround/tunable_weight.h"
#include "core/checkpoint/compressor.h"
#include "core/models/safetensors.h"
#include "core/quantization/fake_quantize.h"

using namespace calibench;

namespace {

QuantizationArgs integers(bool symmetric) {
    QuantizationArgs args;
    args.num_bits = 4;
    args.symmetric = symmetric;
    args.strategy = Strategy::Group;
    args.group_size = 32;
    return args;
}

QuantizationArgs floats(int bits, Strategy strategy, std::optional<int64_t> group_size = {}, std::optional<DType> scale_dtype = {}) {
    QuantizationArgs args;
    args.num_bits = bits;
    args.type = QuantizationType::Float;
    args.strategy = strategy;
    args.group_size = group_size;
    args.scale_dtype = scale_dtype;
    if (strategy == Strategy::Block) args.block_structure = {8, 32};
    return args;
}

struct Case {
    const char* name;
    QuantizationArgs args;
    double momentum = 0;
    LrScheduler scheduler = LrScheduler::Linear;
};

const std::vector<Case>& cases() {
    static const std::vector<Case> all = {
        {"int4_sym_momentum", integers(true), 0.9},
        {"int4_asym_momentum_constant", integers(false), 0.5, LrScheduler::Constant},
        {"int4_sym_constant", integers(true), 0, LrScheduler::Constant},
        {"fp8_tensor", floats(8, Strategy::Tensor)},
        {"fp8_channel", floats(8, Strategy::Channel)},
        {"fp8_block", floats(8, Strategy::Block)},
        {"nvfp4", floats(4, Strategy::TensorGroup, 16, DType::Float8E4M3)},
        {"nvfp4_momentum", floats(4, Strategy::TensorGroup, 16, DType::Float8E4M3), 0.9},
        {"mxfp4", floats(4, Strategy::Group, 32, DType::UInt8)},
        {"mxfp8", floats(8, Strategy::Group, 32, DType::UInt8)},
    };
    return all;
}

}  // namespace

/// Against auto-round's own functions and optimizer: tests/data/autoround/make_steps.py.
class TestTunableWeight : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void feedback_decides_the_levels_data() {
        QTest::addColumn<bool>("symmetric");
        QTest::addColumn<int>("strategy");
        QTest::addColumn<int>("path");
        for (const Strategy strategy : {Strategy::Group, Strategy::Channel, Strategy::Tensor})
            for (const bool symmetric : {true, false})
                for (const RoundingPath path : {RoundingPath::Fused, RoundingPath::Reference})
                    QTest::addRow("%s %s %d", symmetric ? "sym" : "asym", to_string(strategy).c_str(), int(path)) << symmetric << int(strategy) << int(path);
    }

    void feedback_decides_the_levels() {
        QFETCH(bool, symmetric);
        QFETCH(int, strategy);
        QFETCH(int, path);
        QuantizationArgs args = integers(symmetric);
        args.strategy = static_cast<Strategy>(strategy);
        if (args.strategy != Strategy::Group) args.group_size.reset();
        auto generator = at::make_generator<at::CPUGeneratorImpl>(uint64_t{9});
        const at::Tensor weight = at::randn({16, 64}, generator, at::kFloat);
        const at::Tensor inputs = at::randn({400, 8}, generator, at::kFloat).mm(at::randn({8, 64}, generator, at::kFloat));
        const at::Tensor products = inputs.t().mm(inputs);

        TunableWeight tunable("proj", weight, args, AutoRoundOptions{}, {.path = static_cast<RoundingPath>(path)});
        const TunedWeight nearest = tunable.best();
        tunable.begin_with_feedback(weight, products);
        tunable.remember();
        const TunedWeight tuned = tunable.best();

        const auto by_row = [](const at::Tensor& x) { return x.to(at::kFloat).expand({16, x.dim() > 1 ? x.size(1) : 1}).contiguous(); };
        LevelGrid grid{by_row(tuned.qparams.scale), {}, {}};
        const at::Tensor zero_point = symmetric ? at::zeros_like(grid.scale) : by_row(tuned.qparams.zero_point);  // counted from -8
        grid.low = -8 - zero_point;
        grid.high = 7 - zero_point;
        const at::Tensor levels = round_with_feedback(weight, grid, products) + zero_point.repeat_interleave(64 / zero_point.size(1), 1);
        QVERIFY(tuned.quantized.to(at::kFloat).equal(levels));
        QVERIFY(!tuned.quantized.equal(nearest.quantized));
        QVERIFY(tuned.min_scale.equal(tuned.max_scale));
        QVERIFY(tuned.min_scale.lt(1).any().item<bool>());
        const auto error = [&](const TunedWeight& rounded) {
            return inputs.mm((dequantize(rounded.quantized, rounded.qparams, args) - weight).t()).square().mean().item<double>();
        };
        QVERIFY(error(tuned) < 0.7 * error(nearest));
        QVERIFY(tunable.qdq().detach().allclose(dequantize(tuned.quantized, tuned.qparams, args), 1e-5, 1e-6));
    }

    void steps_as_auto_round_data() { add_cases(); }
    void steps_as_auto_round();
    void stored_floats_are_the_tuned_weight_data() { add_cases(); }
    void stored_floats_are_the_tuned_weight();

private:
    static void add_cases() {
        QTest::addColumn<int>("index");
        for (size_t i = 0; i < cases().size(); ++i) QTest::newRow(cases()[i].name) << static_cast<int>(i);
    }
    [[nodiscard]] at::Tensor of(const Case& test, const char* name) const {
        return steps_.tensor(std::string(test.name) + "." + name).clone();
    }
    /// After all steps.
    [[nodiscard]] TunableWeight tuned(const Case& test) const {
        AutoRoundOptions options;
        options.iters = 6;
        options.lr = 0.2;
        options.minmax_lr = 0.05;
        options.momentum = test.momentum;
        options.lr_scheduler = test.scheduler;
        const bool has_global_scale = test.args.strategy == Strategy::TensorGroup;
        TunableWeight weight(test.name, of(test, "weight"), test.args, options,
                             {.global_scale = has_global_scale ? of(test, "global_scale") : at::Tensor()});
        for (const at::Tensor& gradient : of(test, "gradient").unbind()) {
            weight.step(gradient);
            weight.advance_rates();
        }
        weight.remember();
        return weight;
    }

    SafetensorsFile steps_{CALIBENCH_TEST_DATA "/autoround/steps.safetensors"};
};

void TestTunableWeight::steps_as_auto_round() {
    QFETCH(int, index);
    const Case& test = cases()[static_cast<size_t>(index)];
    const TunableWeight weight = tuned(test);
    QVERIFY(weight.v().reshape(-1).equal(of(test, "v").reshape(-1)));
    const TunedWeight best = weight.best();
    QVERIFY(best.max_scale.equal(of(test, "max_scale")));
    QVERIFY(best.min_scale.equal(of(test, "min_scale")));
    QVERIFY(weight.qdq().equal(of(test, "qdq")));
}

void TestTunableWeight::stored_floats_are_the_tuned_weight() {
    QFETCH(int, index);
    const Case& test = cases()[static_cast<size_t>(index)];
    const TunableWeight weight = tuned(test);
    const TunedWeight best = weight.best();
    const at::Tensor expected = weight.qdq().detach().to(at::kFloat);
    // One rounding apart, of the weight's dtype or of a float16 scale.
    const double precision = weight.qdq().scalar_type() == at::kBFloat16 ? 1.0 / 128 : 1.0 / 1024;
    QVERIFY(at::allclose(dequantize(best.quantized, best.qparams, test.args, at::kFloat), expected, precision, 1e-6));

    QuantizationScheme scheme;
    scheme.weights = test.args;
    const CompressionFormat format = infer_format(scheme);
    const auto stored = compress_quantized_linear(best.quantized, {}, {best.qparams, {}, {}}, scheme, format);
    const TensorLookup lookup = [&](const std::string& name) {
        for (const NamedTensor& entry : stored)
            if (entry.name == name) return entry.tensor;
        return at::Tensor();
    };
    const at::Tensor read = decompress_linear(lookup, scheme, format, at::kFloat);
    QVERIFY(at::allclose(read, expected, 1.0 / 64, 1e-6));  // float4 is read in bfloat16
}

QTEST_GUILESS_MAIN(TestTunableWeight)
#include "test_tunable_weight.moc"
