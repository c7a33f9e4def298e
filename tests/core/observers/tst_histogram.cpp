#include <QtTest/QTest>

#include "core/observers/histogram.h"
#include "tests/core/observers/observer_fixtures.h"

using namespace calibench;
using namespace calibench::testing;

class Histogram : public QObject {
    Q_OBJECT

    static std::unique_ptr<HistogramObserver> make(bool symmetric, const nlohmann::json& kwargs) {
        return std::make_unique<HistogramObserver>("input", make_args(8, symmetric, Strategy::Tensor), ObservedModule{"m"}, kwargs);
    }
    static double bound(HistogramObserver& observer) { return observer.get_qparams().scale.item<double>() * 127.5; }

private Q_SLOTS:
    void counts_depend_on_values_alone() {
        const at::Tensor values = heavy_tailed({6, 10, 16}, 11) * at::tensor({1e-3, 1.0, 40.0, 0.1, 7.0, 0.0}).view({6, 1, 1}).to(at::kFloat);
        const auto forward = make(true, {}), backward = make(true, {}), first = make(true, {}), second = make(true, {});
        for (int64_t i = 0; i < 6; ++i) {
            forward->observe(values.narrow(0, i, 1));
            backward->observe(values.narrow(0, 5 - i, 1));
            (i < 2 ? first : second)->observe(values.narrow(0, i, 1));
        }
        first->merge(*second);
        QVERIFY(forward->histograms()[0].counts() == backward->histograms()[0].counts());
        QVERIFY(forward->histograms()[0].counts() == first->histograms()[0].counts());
        QCOMPARE(forward->histograms()[0].total(), values.numel());
        QVERIFY(forward->get_qparams().scale.equal(first->get_qparams().scale));
    }

    void every_value_lies_in_its_bin() {
        SignedHistogram histogram;
        const std::vector<float> values = {-3.5f, -1e-6f, 0.0f, 1e-6f, 2.0f, 3.999f};
        histogram.add(values.data(), int64_t(values.size()), 3.999f);
        for (const float value : values) {
            int bin = 0;
            while (bin + 1 < SignedHistogram::num_bins && histogram.edge(bin + 1) <= value) ++bin;
            QVERIFY(histogram.counts()[size_t(bin)] > 0);
        }
    }

    void a_percentile_leaves_outliers_out() {
        at::Tensor values = at::linspace(-1, 1, 10000).view({1, 100, 100});
        values[0][0][0] = -50;
        values[0][99][99] = 80;
        const auto clipped = make(true, {{"percentile", 99.9}}), all = make(true, {{"percentile", 100.0}});
        clipped->observe(values);
        all->observe(values);
        QVERIFY(bound(*clipped) > 0.99 && bound(*clipped) < 1.1);
        QVERIFY(std::abs(bound(*all) - 80) < 1e-3);
        QCOMPARE(clipped->max_vals().item<float>(), 80.0f);  // the statistics stay those of all data
    }

    void the_bound_covers_the_share_asked_for() {
        const at::Tensor values = heavy_tailed({4, 64, 64}, 2);
        for (const double percentile : {90.0, 99.0, 99.9}) {
            const auto observer = make(true, {{"percentile", percentile}});
            observer->observe(values);
            const double a = bound(*observer), width = observer->histograms()[0].bin_width();
            const auto share_within = [&](double limit) { return values.abs().le(limit).to(at::kDouble).mean().item<double>() * 100; };
            QVERIFY(share_within(a * (1 + 1e-6)) >= percentile);
            QVERIFY(share_within(a - 1.001 * width) < percentile);
        }
    }

    void asymmetric_tails_are_cut_one_by_one() {
        at::Tensor values = at::linspace(0, 1, 10000).view({1, 100, 100}).clone();
        values[0][99][99] = 100;
        const auto observer = make(false, {{"percentile", 99.9}});
        observer->observe(values);
        const ScaleAndZeroPoint qparams = observer->get_qparams();
        QVERIFY(qparams.scale.item<double>() * 255 < 1.1);
        QCOMPARE(qparams.zero_point.item<int>(), -128);
    }

    void entropy_clips_a_lone_outlier_and_keeps_a_uniform_range() {
        at::Tensor values = heavy_tailed({1, 200, 200}, 4).clamp(-4, 4);
        values[0][0][0] = 400;
        const auto observer = make(true, {{"mode", "entropy"}});
        observer->observe(values);
        QVERIFY(bound(*observer) > 3 && bound(*observer) < 60);

        const auto uniform = make(true, {{"mode", "entropy"}});
        uniform->observe(at::linspace(-1, 1, 40000).view({1, 200, 200}));
        QVERIFY(bound(*uniform) > 0.97);
    }

    void a_range_of_zeros_stays_zero() {
        for (const char* mode : {"percentile", "entropy"}) {
            const auto observer = make(true, {{"mode", mode}});
            observer->observe(at::zeros({1, 4, 8}));
            QCOMPARE(observer->min_vals().item<float>(), 0.0f);
            QVERIFY(observer->get_qparams().scale.item<double>() > 0);
        }
    }

    void senseless_options_are_refused() {
        QVERIFY(!thrown_by([] { (void)make(true, {{"mode", "guess"}}); }).empty());
        QVERIFY(!thrown_by([] { (void)make(true, {{"percentile", 0}}); }).empty());
        QVERIFY(!thrown_by([] { HistogramObserver observer("weight", make_args(4, true, Strategy::Group, 32)); }).empty());
    }
};

QTEST_APPLESS_MAIN(Histogram)
#include "tst_histogram.moc"
