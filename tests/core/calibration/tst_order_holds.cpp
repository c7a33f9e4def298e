#include <future>
#include <thread>

#include <ATen/Parallel.h>
#include <QTest>

#include "core/base/error.h"
#include "tests/core/calibration/ordered_run.h"

using namespace calibench;
using namespace calibench::testing;
namespace fs = std::filesystem;

/// Runs that wait for orders at the end of a block, or in the middle of it.
class OrderHoldsTest : public OrderedRun {
    Q_OBJECT
private Q_SLOTS:
    void initTestCase() { at::set_num_threads(1); }
    void init() { begin(); }

    void holds_at_the_end_of_a_block() {
        control_->hold_at_block_end(true);
        int pauses = 0;
        recorder_.react = [&](const RunEvent& event) {
            if (!std::holds_alternative<Paused>(event)) return;
            const auto last = recorder_.all<LossRecorded>().back();
            QVERIFY(last.iteration == 3 || last.attempt == 1);
            QCOMPARE(recorder_.all<BlockFinished>().size(), size_t(last.block));  // nothing is stored yet
            ++pauses;
            if (last.block == 1 && last.attempt == 0) control_->order(redo(6));
            else control_->resume();
        };
        const RunConfig config = this->config(llama, tuned_w4);
        (void)run(config);
        QCOMPARE(pauses, 5);
        QCOMPARE(losses(1, 1).size(), 6u);
        QCOMPARE(recorder_.all<Resumed>().size(), 5u);
        verify_progress_never_falls();
    }

    void holding_changes_no_byte() {
        control_->hold_at_block_end(true);
        recorder_.react = [&](const RunEvent& event) {
            if (std::holds_alternative<Paused>(event)) control_->resume();
        };
        const RunConfig config = this->config(llama, nearest_w8);
        const std::string bytes = run(config);
        QCOMPARE(recorder_.all<Paused>().size(), 4u);
        QVERIFY(bytes == run_undisturbed(config));
    }

    void orders_wake_a_paused_run() {
        recorder_.react = [&](const RunEvent& event) {
            if (const auto* loss = std::get_if<LossRecorded>(&event); loss && loss->block == 1 && loss->attempt == 0 && loss->iteration == 1) control_->pause();
            if (std::holds_alternative<Paused>(event)) control_->order(redo(5));
        };
        (void)run(config(llama, tuned_w4));
        QCOMPARE(recorder_.all<Paused>().size(), 1u);
        QCOMPARE(recorder_.all<Resumed>().size(), 1u);
        QCOMPARE(losses(1, 0).size(), 2u);  // not one iteration more
        QCOMPARE(losses(1, 1).size(), 5u);
    }

    /// From another thread, as a window does it.
    void a_held_run_can_be_stopped() {
        control_->hold_at_block_end(true);
        std::promise<void> paused;
        recorder_.react = [&](const RunEvent& event) {
            if (std::holds_alternative<Paused>(event)) paused.set_value();
        };
        std::thread stopper([&] {
            paused.get_future().wait();
            control_->request_cancel();
        });
        QVERIFY_EXCEPTION_THROWN(run(config(llama, tuned_w4)), Cancelled);
        stopper.join();
        QVERIFY(std::holds_alternative<RunStopped>(recorder_.events.back()));
        QCOMPARE(std::get<RunStopped>(recorder_.events.back()).blocks_done, 0);
        QVERIFY(!fs::exists(path("out")));
    }
};

QTEST_GUILESS_MAIN(OrderHoldsTest)
#include "tst_order_holds.moc"
