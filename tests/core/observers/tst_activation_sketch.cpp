#include <cmath>

#include <ATen/Parallel.h>
#include <QtTest/QTest>

#include "core/base/text.h"
#include "core/observers/activation_sketch.h"
#include "core/quantization/activation_quantizer.h"
#include "core/quantization/fake_quantize.h"
#include "tests/core/observers/observer_fixtures.h"

using namespace calibench;
using namespace calibench::testing;

namespace {

/// As it comes in batches, all of it sampled.
ActivationSketch sketch_of(const at::Tensor& values, ChannelSketch& channels, int64_t batch = 2, int64_t sample_stride = 1) {
    ActivationSketcher sketcher(sample_stride);
    for (const at::Tensor& part : values.split(batch)) (void)sketcher.observe(part, channels);
    return sketcher.finish();
}
ActivationSketch sketch_of(const at::Tensor& values) {
    ChannelSketch channels;
    return sketch_of(values, channels, values.size(0));
}

QuantizationArgs dynamic_args(int num_bits, const ScaleShare& share) {
    QuantizationArgs args;
    args.num_bits = num_bits;
    args.symmetric = share.symmetric;
    args.dynamic = Dynamic::Yes;
    args.strategy = share.kind == ScaleShare::Kind::Call ? Strategy::Tensor : share.kind == ScaleShare::Kind::Token ? Strategy::Token : Strategy::Group;
    if (share.group_size > 0) args.group_size = share.group_size;
    return resolve_defaults(args);
}

double noise_of(const at::Tensor& values, const at::Tensor& rounded) {
    return (values.to(at::kDouble) - rounded.to(at::kDouble)).square().sum().item<double>();
}

/// An activation with a loud channel, a loud token, and tails.
at::Tensor activation(at::IntArrayRef shape, uint64_t seed) {
    at::Tensor values = heavy_tailed(shape, seed);
    values.select(-1, 3).mul_(40);
    values.select(0, 0).select(0, 0).mul_(15);
    return values;
}

/// The levels of a magnitude relative to the range, written down independently.
std::vector<double> levels_of(int bits, bool symmetric) {
    std::vector<double> levels;
    const double steps = std::exp2(bits) - 1;
    for (int level = 0; level <= (symmetric ? (1 << (bits - 1)) : (1 << bits) - 1); ++level) levels.push_back(level / (symmetric ? steps / 2 : steps));
    return levels;
}

}  // namespace

class TestActivationSketch : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void channels_are_exact_data() {
        QTest::addColumn<int>("dtype");
        QTest::addColumn<int>("columns");
        for (const auto dtype : {at::kFloat, at::kBFloat16, at::kHalf})
            for (const int columns : {16, 37, 300}) QTest::addRow("%s, %d", c10::toString(dtype), columns) << int(dtype) << columns;
    }
    void channels_are_exact() {
        QFETCH(int, dtype);
        QFETCH(int, columns);
        const at::Tensor values = activation({6, 131, columns}, 3).to(at::ScalarType(dtype));
        ChannelSketch channels;
        const ActivationSketch sketch = sketch_of(values, channels);
        const at::Tensor rows = values.to(at::kFloat).view({-1, columns});
        QCOMPARE(channels.num_tokens, rows.size(0));
        QVERIFY(at::equal(channels.largest, rows.abs().amax(0)));
        QVERIFY(at::allclose(channels.energy, rows.to(at::kDouble).square().sum(0), 1e-5));
        QCOMPARE(channels.min, rows.min().item<float>());
        QCOMPARE(channels.max, rows.max().item<float>());
        QCOMPARE(sketch.ranges.size(0), 3);
        QCOMPARE(sketch.ranges[1][1].item<float>(), values.slice(0, 2, 4).max().item<float>());

        SignedHistogram expected;  // value by value
        for (int64_t i = 0; i < rows.size(0); ++i) {
            const at::Tensor row = rows[i].contiguous();
            for (int64_t c = 0; c < columns; ++c) expected.add(row.const_data_ptr<float>() + c, 1, std::abs(row.const_data_ptr<float>()[c]));
        }
        QCOMPARE(sketch.values.exponent(), expected.exponent());
        QVERIFY(sketch.values.counts() == expected.counts());
    }

    void positive_values_have_a_positive_min() {
        ChannelSketch channels;
        (void)sketch_of(at::full({2, 5, 19}, 0.25f), channels);
        QCOMPARE(channels.min, 0.25f);
        QCOMPARE(channels.max, 0.25f);
    }

    void noise_lies_between_the_bounds_data() {
        QTest::addColumn<QString>("share");
        for (const ScaleShare& share : sketched_shares()) QTest::addRow("%s", share.name().c_str()) << QString::fromStdString(share.name());
    }
    void noise_lies_between_the_bounds() {
        QFETCH(QString, share);
        const auto& shares = sketched_shares();
        const ScaleShare asked = *std::find_if(shares.begin(), shares.end(), [&](const auto& each) { return each.name() == share.toStdString(); });
        const at::Tensor values = activation({4, 33, 256}, 5) + (asked.symmetric ? 0.0 : 0.4);
        const ActivationSketch sketch = sketch_of(values);
        for (const int bits : {2, 3, 4, 5, 6, 7, 8}) {
            const QuantizationArgs args = dynamic_args(bits, asked);
            const double noise = noise_of(values, make_activation_quantizer(args, {})(values));
            NoiseBounds bounds = sketch.dynamic_noise(asked, levels_of(bits, asked.symmetric));
            const auto told = concat(bits, " bits: ", bounds.least, " <= ", noise, " <= ", bounds.most, ", about ", bounds.estimate);
            if (bits == 2 || bits == 4 || bits == 8) {
                QVERIFY2(bounds.most - bounds.least <= 1e-5 * noise, told.c_str());
                QVERIFY2(std::abs(bounds.estimate / noise - 1) < 1e-3, told.c_str());
            }
            bounds.widen(6 * std::exp2(-24) * std::sqrt(sketch.sampled_energy) + 2 * std::exp2(-24) * std::sqrt(sketch.squared_ranges(asked)));
            QVERIFY2(bounds.least <= noise && noise <= bounds.most, told.c_str());
            QVERIFY2(std::abs(std::log10(bounds.estimate / noise)) < 0.02, told.c_str());  // 0.2 dB
        }
    }

    void static_noise_lies_between_the_bounds() {
        const at::Tensor values = activation({4, 65, 128}, 9);
        const ActivationSketch sketch = sketch_of(values);
        const double largest = values.abs().max().item<double>();
        for (const int bits : {3, 4, 8})
            for (const bool symmetric : {true, false})
                for (const double clipped : {1.0, 0.7, 0.1, 0.02, 3.0}) {
                    const double scale = static_cast<float>(clipped * largest / (std::exp2(bits - 1) - 0.5)), zero_point = symmetric ? 0 : 1;
                    const double low = -std::exp2(bits - 1), high = std::exp2(bits - 1) - 1;
                    const at::Tensor levels = ((values.to(at::kDouble) / scale).round() + zero_point).clamp(low, high) - zero_point;
                    const double noise = noise_of(values, levels * scale);
                    std::vector<double> known;
                    for (double level = low; level <= high; ++level) known.push_back((level - zero_point) * scale);
                    NoiseBounds bounds = sketch.static_noise(known);
                    bounds.widen(6 * std::exp2(-24) * std::sqrt(sketch.sampled_energy));
                    const auto told = concat(bits, " bits, clipped at ", clipped, ": ", bounds.least, " <= ", noise, " <= ", bounds.most, ", about ", bounds.estimate);
                    QVERIFY2(bounds.least <= noise && noise <= bounds.most, told.c_str());
                    QVERIFY2(std::abs(std::log10(bounds.estimate / noise)) < 0.03, told.c_str());
                    if (clipped <= 1) QVERIFY2(10 * std::log10(bounds.most / bounds.least) < 2, told.c_str());
                }
    }

    void two_levels_leave_what_the_sums_leave() {
        // Two values around the border at 0.5, then two next to the levels: the same sums up to the first, different noise.
        const MomentSums apart{0, 1, 0.5, 2, 0, 0.5}, together{0, 1, 0.5, 2, 0, 0};
        const std::vector<double> levels = {0, 1};
        NoiseBounds bounds;
        bounds.add(apart, levels);
        QVERIFY(std::abs(bounds.least) < 1e-12);  // 0 and 1 themselves
        bounds = {};
        bounds.add(together, levels);
        QVERIFY(std::abs(bounds.least - 0.5) < 1e-12 && std::abs(bounds.most - 0.5) < 1e-12);  // both at 0.5
    }

    void a_token_scale_of_an_expert_is_one_of_the_call() {
        const at::Tensor values = activation({1, 40, 64}, 2).squeeze(0);
        ChannelSketch channels;
        ActivationSketcher sketcher(1);
        (void)sketcher.observe(values, channels);
        const QuantizationArgs args = dynamic_args(8, {});
        const double noise = noise_of(values, make_activation_quantizer(args, {})(values));
        const ActivationSketch sketch = sketcher.finish();
        QVERIFY(sketch.by_expert);
        QVERIFY(std::abs(sketch.dynamic_noise({}, levels_of(8, true)).estimate / noise - 1) < 1e-3);
    }

    void formats_with_rounded_scales_are_measured() {
        const at::Tensor values = activation({2, 20, 64}, 4);
        const ActivationSketch sketch = sketch_of(values);
        QuantizationArgs mx;
        mx.num_bits = 4;
        mx.type = QuantizationType::Float;
        mx.strategy = Strategy::Group;
        mx.group_size = 32;
        mx.scale_dtype = mx.zp_dtype = DType::UInt8;
        mx.dynamic = Dynamic::Yes;
        QVERIFY(std::abs(sketch.measured.at("mxfp4") / noise_of(values, make_activation_quantizer(mx, {})(values)) - 1) < 1e-5);
        QuantizationArgs nv = nvfp4_args();
        nv.dynamic = Dynamic::Local;
        const auto observer = make_observer("static_minmax", "input", nv);
        observer->observe(values);
        const at::Tensor rounded = make_activation_quantizer(nv, {{}, {}, observer->global_scale()})(values);
        QVERIFY(std::abs(sketch.measured.at("nvfp4_static_minmax") / noise_of(values, rounded) - 1) < 1e-5);
    }

    void sampled_tokens_are_evenly_spread() {
        const at::Tensor values = activation({5, 16, 32}, 8);
        ChannelSketch channels;
        const ActivationSketch sketch = sketch_of(values, channels, 1, /*sample_stride=*/21);  // longer than a batch
        QCOMPARE(sketch.num_sampled, 4);
        QCOMPARE(channels.num_tokens, 80);
        QCOMPARE(sketch.values.total(), values.numel());
        const double energy = values.view({-1, 32}).slice(0, 10, 80, 21).to(at::kDouble).square().sum().item<double>();
        QVERIFY(std::abs(sketch.sampled_energy / energy - 1) < 1e-5);
    }

    void tails_are_counted_to_the_last_data() {
        QTest::addColumn<int>("dtype");
        for (const auto dtype : {at::kFloat, at::kBFloat16}) QTest::addRow("%s", c10::toString(dtype)) << int(dtype);
    }
    void tails_are_counted_to_the_last() {
        QFETCH(int, dtype);
        at::Tensor values = heavy_tailed({6, 1024, 401}, 12).to(at::ScalarType(dtype));
        values[5][7][3] = 300;  // the bins widen on the way
        ChannelSketch channels;
        const ActivationSketch sketch = sketch_of(values, channels, 3, 64);
        QVERIFY(sketch.open_low < 0 && sketch.open_high > 0);
        QCOMPARE(sketch.values.total(), values.numel());
        SignedHistogram expected;
        const at::Tensor all = values.to(at::kFloat);
        expected.add(all.const_data_ptr<float>(), all.numel(), 300.0f);
        int tails = 0;
        for (int bin = 0; bin < SignedHistogram::num_bins; ++bin) {
            const bool is_open = expected.edge(bin + 1) > sketch.open_low && expected.edge(bin) < sketch.open_high;
            const int64_t counted = sketch.values.counts()[size_t(bin)], exact = expected.counts()[size_t(bin)];
            const bool is_within = expected.edge(bin) >= sketch.open_low && expected.edge(bin + 1) <= sketch.open_high;
            if (is_within) QVERIFY2(std::abs(double(counted - exact)) <= 0.05 * double(exact) + 50, concat("bin ", bin, ": ", counted, ", is ", exact).c_str());
            if (is_open) continue;
            QCOMPARE(counted, exact);
            tails += int(exact);
        }
        QVERIFY(tails > values.numel() / 400);
    }

    void threads_change_nothing() {
        const at::Tensor values = activation({4, 512, 1024}, 6);
        const auto with_threads = [&](int threads, ChannelSketch& channels) {
            const int before = at::get_num_threads();
            at::set_num_threads(threads);
            ActivationSketch sketch = sketch_of(values, channels, 2, 33);
            at::set_num_threads(before);
            return sketch;
        };
        ChannelSketch one, two;
        const ActivationSketch of_one = with_threads(1, one), of_two = with_threads(2, two);
        QVERIFY(at::equal(one.energy, two.energy));
        QVERIFY(at::equal(of_one.static_cells, of_two.static_cells));
        QVERIFY(at::equal(of_one.cells.at("group_32"), of_two.cells.at("group_32")));
        QVERIFY(of_one.values.counts() == of_two.values.counts());
    }
};

QTEST_APPLESS_MAIN(TestActivationSketch)
#include "tst_activation_sketch.moc"
