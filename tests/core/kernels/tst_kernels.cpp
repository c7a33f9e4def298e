#include <limits>

#include <QtTest/QTest>

#include <ATen/ATen.h>

#include "tests/kernel_checks/kernel_checks.h"

using namespace calibench::testing;

Q_DECLARE_METATYPE(calibench::testing::CheckTarget)
Q_DECLARE_METATYPE(const calibench::testing::KernelCheck*)

/// Every kernel against plain tensor operations: on the CPU with each instruction set that it has, and on a GPU where there is one.
class TestKernels : public QObject {
    Q_OBJECT

    static void add_rows(const CheckTarget& target) {
        for (const KernelCheck& check : kernel_checks()) QTest::addRow("%s on %s", check.kernel, target.name.c_str()) << target << &check;
    }

    static void verify(const std::vector<Comparison>& comparisons) {
        for (const Comparison& comparison : comparisons)
            QVERIFY2(comparison.passed(), qPrintable(QString("%1: %2 where %3 is allowed").arg(QString::fromStdString(comparison.what)).arg(comparison.error).arg(comparison.bound)));
    }

private Q_SLOTS:
    void on_the_cpu_data() {
        QTest::addColumn<CheckTarget>("target");
        QTest::addColumn<const KernelCheck*>("check");
        for (const CheckTarget& target : cpu_targets()) add_rows(target);
    }

    void on_the_cpu() {
        QFETCH(CheckTarget, target);
        QFETCH(const KernelCheck*, check);
        const std::vector<Comparison> comparisons = compare_on(target, *check);
        if (comparisons.empty()) QSKIP("This kernel needs another instruction set than this one.");
        verify(comparisons);
    }

    void on_a_gpu_data() {
        QTest::addColumn<CheckTarget>("target");
        QTest::addColumn<const KernelCheck*>("check");
        add_rows({"cuda", at::Device(at::kCUDA, 0)});
    }

    void on_a_gpu() {
        QFETCH(CheckTarget, target);
        QFETCH(const KernelCheck*, check);
        if (!at::hasCUDA()) QSKIP("There is no GPU here that this build can use.");
        const std::vector<Comparison> comparisons = compare_on(target, *check);
        if (comparisons.empty()) QSKIP("This build has no such kernel for a GPU: nvcc was not found.");
        verify(comparisons);
    }

    /// The checks themselves: a wrong number must not pass.
    void a_wrong_number_fails() {
        QVERIFY((Comparison{"alike", 0, 0}).passed());
        QVERIFY(!(Comparison{"a bit", 1e-9, 0}).passed());
        QVERIFY(!(Comparison{"not a number", std::numeric_limits<double>::quiet_NaN(), 1}).passed());
        const std::vector<Comparison> comparisons{{"exact", 0, 0}, {"close", 0.5, 1}, {"wrong", 0.1, 0.01}, {"far from its bound", 1, 10}};
        QCOMPARE(worst_of(comparisons).what, std::string("wrong"));
        QCOMPARE(worst_of(std::span(comparisons).first(2)).what, std::string("close"));
    }
};

QTEST_GUILESS_MAIN(TestKernels)
#include "tst_kernels.moc"
