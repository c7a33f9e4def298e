#include <cmath>
#include <limits>

#include <ATen/ATen.h>
#include <QTest>

#include "core/base/error.h"
#include "core/calibration/range_tracker.h"

using namespace calibench;

class TestRangeTracker : public QObject {
    Q_OBJECT
private Q_SLOTS:
    void nothingObservedHasNoRange();
    void extremesAreExactOverAllObservations();
    void percentilesAreNearTheTrueOnes();
    void aNaNIsNotHidden();
    void aWeightThatIsNotFiniteIsNamed();
};

void TestRangeTracker::nothingObservedHasNoRange() {
    RangeTracker tracker;
    QVERIFY(!tracker.range());
    tracker.observe(at::empty({0, 8}));
    QVERIFY(!tracker.range());
}

void TestRangeTracker::extremesAreExactOverAllObservations() {
    RangeTracker tracker(16);
    at::Tensor first = at::zeros({100, 64}), second = at::zeros({100, 64}, at::kBFloat16);
    first[57][13] = -3.25f;
    second[3][2] = 7.5;
    tracker.observe(first);
    tracker.observe(second.t());
    QCOMPARE(tracker.range()->min, -3.25);
    QCOMPARE(tracker.range()->max, 7.5);
}

void TestRangeTracker::percentilesAreNearTheTrueOnes() {
    // Every column holds one value: a sample that kept to some columns would be far off.
    const at::Tensor values = at::arange(1024, at::kFloat).expand({512, 1024});
    RangeTracker tracker(8192);
    tracker.observe(values);
    const ValueRange range = *tracker.range();
    QVERIFY2(std::abs(range.p001 - 1) <= 2, qPrintable(QString::number(range.p001)));
    QVERIFY2(std::abs(range.p999 - 1022) <= 2, qPrintable(QString::number(range.p999)));
}

void TestRangeTracker::aNaNIsNotHidden() {
    RangeTracker tracker;
    tracker.observe(at::tensor({1.0f, std::numeric_limits<float>::quiet_NaN(), 2.0f}));
    tracker.observe(at::tensor({5.0f}));
    QVERIFY(std::isnan(tracker.range()->min) && std::isnan(tracker.range()->max));
    QVERIFY(std::isfinite(tracker.range()->p999));
}

void TestRangeTracker::aWeightThatIsNotFiniteIsNamed() {
    Linear linear{"model.layers.0.mlp.up_proj", at::ones({4, 4}), {}};
    linear.weight[1][2] = std::numeric_limits<float>::infinity();
    linear.weight[3][0] = std::numeric_limits<float>::quiet_NaN();
    try {
        (void)observe_weight_range(linear, 0);
        QFAIL("accepted");
    } catch (const RunError& error) {
        QVERIFY2(QString(error.what()).startsWith("model.layers.0.mlp.up_proj: the weight holds 2 values"), error.what());
    }
}

QTEST_GUILESS_MAIN(TestRangeTracker)
#include "tst_range_tracker.moc"
