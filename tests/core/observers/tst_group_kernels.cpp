#include <limits>

#include <ATen/Parallel.h>

#include <QtTest/QTest>

#include "core/kernels/group_min_max.h"
#include "core/observers/flatten.h"
#include "core/observers/mse_quant.h"
#include "core/quantization/fake_quantize.h"
#include "tests/core/observers/observer_fixtures.h"

using namespace calibench;
using namespace calibench::testing;

Q_DECLARE_METATYPE(calibench::QuantizationArgs)
Q_DECLARE_METATYPE(calibench::RangeSearch)
Q_DECLARE_METATYPE(at::Tensor)

/// The fused kernels against the tensor operations they stand for, at shapes that make vectors, tiles and threads end unevenly.
class GroupKernels : public QObject {
    Q_OBJECT

    static at::ScalarType dtype(const QString& name) {
        return name == "float32" ? at::kFloat : name == "bfloat16" ? at::kBFloat16 : at::kHalf;
    }

private Q_SLOTS:
    void min_max_data() {
        QTest::addColumn<at::Tensor>("x");
        const auto row = [](const char* name, at::Tensor x) { QTest::newRow(name) << x; };
        row("groups", heavy_tailed({1, 40, 9, 32}, 1));
        row("short groups", heavy_tailed({1, 13, 5, 3}, 2));
        row("ragged groups", heavy_tailed({1, 300, 1, 577}, 3));
        row("one group", heavy_tailed({1, 1, 100003}, 4));
        row("tokens of one group", heavy_tailed({1031, 1, 97}, 5));
        row("tokens of heads", heavy_tailed({2049, 3, 1, 1, 20}, 6));
        row("bfloat16", heavy_tailed({1, 31, 4, 70}, 7).to(at::kBFloat16));
        for (const int size : {4, 8, 16}) row(("bfloat16 in groups of " + std::to_string(size)).c_str(), heavy_tailed({2, 31, 5, size}, 10).to(at::kBFloat16));
        row("bfloat16 one group", heavy_tailed({1, 1, 70001}, 8).to(at::kBFloat16));
        row("float16", heavy_tailed({1, 31, 4, 70}, 9).to(at::kHalf));
        row("strided", heavy_tailed({1, 64, 8, 33}, 10).transpose(1, 2));
    }

    void min_max() {
        QFETCH(at::Tensor, x);
        const auto [min, max] = group_min_max(x);
        QVERIFY(min.equal(x.amin({0, -1})));
        QVERIFY(max.equal(x.amax({0, -1})));
    }

    void nan_is_kept_wherever_it_stands() {
        for (const at::ScalarType type : {at::kFloat, at::kBFloat16})
            for (const int64_t position : {0, 15, 16, 31, 36}) {
                at::Tensor x = heavy_tailed({2, 3, 37}, 1).to(type);
                x[1][1][position] = std::numeric_limits<float>::quiet_NaN();
                const auto [min, max] = group_min_max(x);
                for (int64_t group = 0; group < 3; ++group) {
                    QCOMPARE(std::isnan(min[group].item<float>()), group == 1);
                    QCOMPARE(std::isnan(max[group].item<float>()), group == 1);
                }
            }
    }

    void search_data() {
        QTest::addColumn<QString>("type");
        QTest::addColumn<QuantizationArgs>("args");
        QTest::addColumn<RangeSearch>("options");
        QTest::addColumn<bool>("weighted");
        QuantizationArgs fp8 = make_args(8, true, Strategy::Channel);
        fp8.type = QuantizationType::Float;
        fp8.zp_dtype.reset();
        fp8 = resolve_defaults(fp8);
        QuantizationArgs mxfp4 = make_args(4, true, Strategy::Group, 32);
        mxfp4.type = QuantizationType::Float;
        mxfp4.scale_dtype = DType::UInt8;
        const std::vector<std::pair<const char*, QuantizationArgs>> formats = {
            {"int4", make_args(4, true, Strategy::Group, 32)}, {"int4 asym", make_args(4, false, Strategy::Channel)},
            {"int8 asym", make_args(8, false, Strategy::Channel)}, {"int8 tensor", make_args(8, true, Strategy::Tensor)},
            {"fp8", fp8}, {"nvfp4", nvfp4_args()}, {"mxfp4", mxfp4}};
        const std::vector<std::pair<const char*, RangeSearch>> searches = {
            {"default", {}}, {"squares", {.maxshrink = 0.6, .patience = 3, .grid = 40, .norm = 2.0}},
            {"impatient", {.maxshrink = 0.5, .patience = 1, .grid = 60}}, {"endless", {.maxshrink = 0.9, .patience = 0, .grid = 30, .norm = 3.0}},
            {"expanded", {.maxshrink = 0.5, .patience = 1000, .grid = 50, .expand = 1.7}}};
        for (const auto& [format, args] : formats)
            for (const auto& [name, search] : searches)
                for (const char* type : {"float32", "bfloat16", "float16"})
                    for (const bool weighted : {false, true}) {
                        if (weighted && args.strategy == Strategy::Tensor) continue;
                        QTest::addRow("%s %s %s%s", format, name, type, weighted ? " weighted" : "") << QString(type) << args << search << weighted;
                    }
    }

    /// The reference's loop, step by step, with tensor operations.
    void search() {
        QFETCH(QString, type);
        QFETCH(QuantizationArgs, args);
        QFETCH(RangeSearch, options);
        QFETCH(bool, weighted);
        const at::Tensor weight = heavy_tailed({23, 96}, 21).to(dtype(type));
        const at::Tensor x = flatten_for_calibration(weight, "weight", args);
        const at::Tensor importance = weighted ? heavy_tailed({96}, 22).abs() : at::Tensor();
        const at::ScalarType error_type = weighted ? at::kFloat : x.scalar_type();
        if (args.strategy == Strategy::TensorGroup) args.scale_dtype.reset();
        QuantizationArgs elementwise = args;
        elementwise.strategy = Strategy::Token;
        const auto errors_of = [&](const at::Tensor& min, const at::Tensor& max) {
            const auto [scale, zero_point] = calculate_qparams(min, max, args);
            const at::Tensor quantized = fake_quantize(x, {scale.unsqueeze(-1), zero_point.unsqueeze(-1), {}}, elementwise);
            at::Tensor error = (quantized.to(error_type) - x.to(error_type)).abs().pow(options.norm);
            if (weighted) error = error * importance.expand({23, 96}).reshape_as(error);
            return error.sum(at::IntArrayRef{0, -1});
        };

        const at::Tensor min = x.amin({0, -1}) * options.expand, max = x.amax({0, -1}) * options.expand;
        at::Tensor best_min = min, best_max = max, best_error = at::full_like(min, 1e30, at::kFloat);
        const int steps = weighted ? std::max(1, int(options.maxshrink * options.grid)) + 1 : int(options.maxshrink * options.grid);
        double without_gain = 0;
        for (int step = 0; step < steps; ++step) {
            const double p = 1 - step / options.grid;
            const at::Tensor error = errors_of(min * p, max * p).to(at::kFloat), better = error < best_error;
            best_error = at::where(better, error, best_error);
            best_min = at::where(better, min * p, best_min);
            best_max = at::where(better, max * p, best_max);
            if (better.any().item<bool>()) without_gain = 0;
            else if (++without_gain >= options.patience && !(weighted && options.patience == 0)) break;
        }

        const MinMax found = weighted ? search_weighted_range(x, args, options, importance) : search_range(x, args, options);
        const at::Tensor other_step = (found.min != best_min).logical_or(found.max != best_max);
        // Powers and sums may differ in their last place: where two steps tie, either is right.
        const double tie = error_type == at::kFloat ? 1e-5 : 1.0 / 64;
        const at::Tensor found_error = errors_of(found.min, found.max).to(at::kFloat);
        QVERIFY((found_error <= best_error * (1 + tie)).logical_or(other_step.logical_not()).all().item<bool>());
        QVERIFY(other_step.to(at::kFloat).mean().item<double>() <= (error_type == at::kFloat ? 0.01 : 0.05));
    }

    void one_large_group_is_searched_in_parts() {
        const at::Tensor x = heavy_tailed({1, 1, 200001}, 41);
        const QuantizationArgs args = make_args(4, true, Strategy::Tensor);
        const RangeSearch options{.maxshrink = 0.8, .patience = 100, .grid = 50};
        const double absmax = x.abs().max().item<double>();
        double best = 1, least = std::numeric_limits<double>::infinity();
        for (int step = 0; step < 40; ++step) {
            const double scale = float(absmax * (1 - step / 50.0)) / 7.5;
            const double error = ((x / scale).clamp(-8, 7).round() * scale - x).abs().to(at::kDouble).pow(2.4).sum().item<double>();
            if (error >= least) continue;
            least = error;
            best = 1 - step / 50.0;
        }
        const MinMax found = search_range(x, args, options);
        QVERIFY(std::abs(found.max.item<double>() / x.max().item<double>() - best) < 1e-6);
        QVERIFY(best < 0.9);
    }

    void the_number_of_threads_changes_nothing() {
        const at::Tensor x = heavy_tailed({257, 1, 640}, 51).to(at::kBFloat16);
        const QuantizationArgs args = make_args(8, false, Strategy::Tensor);
        const int threads = at::get_num_threads();
        at::set_num_threads(1);
        const MinMax alone = search_range(x, args, {});
        at::set_num_threads(4);
        const MinMax together = search_range(x, args, {});
        at::set_num_threads(threads);
        QVERIFY(alone.min.equal(together.min) && alone.max.equal(together.max));
    }
};

QTEST_APPLESS_MAIN(GroupKernels)
#include "tst_group_kernels.moc"
