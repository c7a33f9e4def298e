#include <algorithm>

#include <ATen/Parallel.h>
#include <QTest>

#include "tests/core/calibration/ordered_run.h"

using namespace calibench;
using namespace calibench::testing;

/// Orders that cannot be obeyed or come too late, and attempts that fail.
class OrderRefusalsTest : public OrderedRun {
    Q_OBJECT
private Q_SLOTS:
    void initTestCase() { at::set_num_threads(1); }
    void init() { begin(); }

    void orders_that_cannot_be_obeyed_are_told_data() {
        QTest::addColumn<QString>("recipe");
        QTest::addColumn<int>("iters");
        QTest::addColumn<double>("lr");
        QTest::addColumn<QString>("why");
        QTest::addRow("no YAML") << "quant_stage: [" << 5 << 0.1 << "recipe, line";
        QTest::addRow("does not fit the model") << QString::fromStdString(tuned_w4).replace("group_size: 64", "group_size: 96") << 5 << 0.1 << "96";
        QTest::addRow("negative iterations") << "" << -1 << 0.1 << "negative";
        QTest::addRow("a rate of zero") << "" << 5 << 0.0 << "above 0";
    }
    void orders_that_cannot_be_obeyed_are_told() {
        QFETCH(QString, recipe);
        QFETCH(int, iters);
        QFETCH(double, lr);
        QFETCH(QString, why);
        BlockOrder order = redo(iters, recipe.toStdString());
        order.lr = lr;
        recorder_.react = [&](const RunEvent& event) {
            if (const auto* loss = std::get_if<LossRecorded>(&event); loss && loss->block == 1 && loss->iteration == 1) control_->order(order);
            if (std::holds_alternative<Paused>(event)) control_->resume();
        };
        const RunConfig config = this->config(llama, tuned_w4);
        const std::string bytes = run(config);
        QCOMPARE(recorder_.all<Paused>().size(), 1u);
        std::vector<Warning> refusals;
        for (const auto& warning : recorder_.all<Warning>())
            if (warning.message.find("not obeyed") != std::string::npos) refusals.push_back(warning);
        QCOMPARE(refusals.size(), 1u);
        QCOMPARE(refusals[0].module, "model.layers.1");
        QVERIFY2(QString::fromStdString(refusals[0].message).contains(why), refusals[0].message.c_str());
        QVERIFY(recorder_.all<BlockRedone>().empty());
        QVERIFY(bytes == run_undisturbed(config));
    }

    void a_rounded_block_has_nothing_to_iterate() {
        order_at(0, redo(5));
        const auto order = recorder_.react;
        recorder_.react = [&](const RunEvent& event) {
            order(event);
            if (std::holds_alternative<Paused>(event)) control_->resume();
        };
        (void)run(config(llama, nearest_w8));
        QCOMPARE(recorder_.all<Paused>().size(), 1u);
        QVERIFY(QString::fromStdString(recorder_.all<Warning>().back().message).contains("nothing to iterate"));

        order_at(0, redo(5, tuned_w8));  // a recipe may bring something
        (void)run(with_output(config(llama, nearest_w8), "tuned"));
        QCOMPARE(losses(1, 1).size(), 5u);
        order_at(0, redo(5, nearest_w4));  // or nothing
        (void)run(with_output(config(llama, nearest_w8), "rounded"));
        QCOMPARE(losses(1, 1).size(), 1u);
    }

    void an_order_between_blocks_comes_too_late() {
        recorder_.react = [this](const RunEvent& event) {
            const auto* finished = std::get_if<BlockFinished>(&event);
            if (finished && finished->block == 1) control_->order(redo(9));
        };
        const RunConfig config = this->config(llama, tuned_w4);
        const std::string bytes = run(config);
        QVERIFY(recorder_.all<BlockRedone>().empty());
        QVERIFY(QString::fromStdString(recorder_.all<Warning>().back().message).contains("too late"));
        QVERIFY(bytes == run_undisturbed(config));
    }

    void a_failed_attempt_is_dropped() {
        BlockOrder order = redo({}, "", BlockOrder::Keep::Newest);
        order.lr = 1e300;  // infinite in float32
        recorder_.react = [&, given = false](const RunEvent& event) mutable {
            if (const auto* loss = std::get_if<LossRecorded>(&event); !given && loss && loss->block == 1 && loss->iteration == 3) {
                given = true;
                control_->order(order);
            }
            if (std::holds_alternative<Paused>(event)) control_->resume();
        };
        const RunConfig config = this->config(llama, tuned_w4);
        const std::string bytes = run(config);
        QCOMPARE(finished(1).kept_attempt, 0);
        const auto warnings = recorder_.all<Warning>();
        QVERIFY(std::any_of(warnings.begin(), warnings.end(), [](const Warning& warning) {
            return warning.kind == Warning::Kind::NotFinite && warning.message.find("Attempt 2 is dropped") == 0;
        }));
        QVERIFY(bytes == run_undisturbed(config));
        verify_progress_never_falls();
    }
};

QTEST_GUILESS_MAIN(OrderRefusalsTest)
#include "tst_order_refusals.moc"
