#include <thread>
#include <vector>

#include <QTest>

#include "core/base/error.h"
#include "core/base/run_control.h"

using namespace calibench;

class RunControlTest : public QObject {
    Q_OBJECT

    static BlockOrder with_iters(int64_t iters) {
        BlockOrder order;
        order.iters = iters;
        return order;
    }

private Q_SLOTS:
    void an_order_is_taken_once_and_the_newest_counts() {
        RunControl control;
        QVERIFY(!control.take_order());
        control.order(with_iters(1));
        control.order(with_iters(2));
        QCOMPARE(control.take_order()->iters.value(), 2);
        QVERIFY(!control.take_order());
    }

    void an_order_wakes() {
        RunControl control;
        std::vector<bool> told;
        control.set_pause_listener([&](bool paused) {
            told.push_back(paused);
            if (paused) control.order(with_iters(3));
        });
        control.pause();
        control.checkpoint();
        QCOMPARE(told, (std::vector<bool>{true, false}));
        QVERIFY(!control.paused() && control.take_order());
    }

    void holding_sleeps_until_someone_resumes() {
        RunControl control;
        std::thread other;
        control.set_pause_listener([&](bool paused) {
            if (paused) other = std::thread([&] { control.resume(); });
        });
        control.hold();
        other.join();
        QVERIFY(!control.paused());
    }

    void holding_lets_a_waiting_order_pass() {
        RunControl control;
        bool told = false;
        control.set_pause_listener([&](bool) { told = true; });
        control.order(with_iters(3));
        control.hold();
        QVERIFY(!told && control.take_order());
    }

    void holding_ends_with_a_cancel() {
        RunControl control;
        control.set_pause_listener([&](bool paused) {
            if (paused) control.request_cancel();
        });
        QVERIFY_EXCEPTION_THROWN(control.hold(), Cancelled);
    }
};

QTEST_GUILESS_MAIN(RunControlTest)
#include "tst_run_control.moc"
