#include <algorithm>
#include <map>

#include <ATen/Parallel.h>
#include <QTest>

#include "core/base/error.h"
#include "tests/core/calibration/ordered_run.h"

using namespace calibench;
using namespace calibench::testing;

/// What a run makes of orders that come while it works.
class OrdersTest : public OrderedRun {
    Q_OBJECT
private Q_SLOTS:
    void initTestCase() { at::set_num_threads(1); }
    void init() { begin(); }

    void finish_keeps_the_best_so_far() {
        RunConfig all = config(llama, tuned_w4);
        all.iters = 12;
        all.batch_size = 1;  // each batch another sample: the best iterate is hardly the last
        std::string undisturbed;
        int64_t best = 11;
        for (uint64_t seed = 0; seed < 8 && best == 11; ++seed) {
            all.seed = seed;
            all.output_dir = path("undisturbed" + std::to_string(seed));
            undisturbed = run(all);
            best = finished(3).best_iteration;
        }
        QVERIFY2(best < 11, "nothing would be cut off");

        all.output_dir = path("finished");
        recorder_.react = [&](const RunEvent& event) {
            const auto* loss = std::get_if<LossRecorded>(&event);
            if (loss && loss->block == 3 && loss->iteration == best) control_->order(finish());
        };
        const std::string bytes = run(all);
        QVERIFY(!bytes.empty());
        QVERIFY(bytes == undisturbed);
        QCOMPARE(losses(3, 0).size(), size_t(best + 1));
        QCOMPARE(finished(3).attempts, 1);
        verify_progress_never_falls();
    }

    void finish_before_tuning_makes_one_iteration() {
        recorder_.react = [this](const RunEvent& event) {
            const auto* started = std::get_if<BlockStarted>(&event);
            if (started && started->block == 1) control_->order(finish());
        };
        (void)run(config(llama, tuned_w4));
        QCOMPARE(losses(1, 0).size(), 1u);
        QCOMPARE(losses(2, 0).size(), 4u);
        verify_progress_never_falls();
    }

    void the_same_again_keeps_the_first() {
        order_at(3, redo());
        const RunConfig config = this->config(llama, tuned_w4);
        const std::string bytes = run(config);
        QVERIFY(bytes == run_undisturbed(config));
        QCOMPARE(losses(1, 1), losses(1, 0));
        QCOMPARE(finished(1).attempts, 2);
        QCOMPARE(finished(1).kept_attempt, 0);
        const auto redone = recorder_.all<BlockRedone>();
        QCOMPARE(redone.size(), 1u);
        QCOMPARE(redone[0].attempt, 1);
        QCOMPARE(QString::fromStdString(redone[0].changes), QString("the same settings"));
        QVERIFY(recorder_.all<RecipeChanged>().empty());
        verify_progress_never_falls();
    }

    void more_iterations_are_kept_when_better() {
        order_at(1, redo(16));
        (void)run(config(llama, tuned_w4));
        QCOMPARE(losses(1, 0).size(), 2u);  // the first attempt ended at once
        const auto second = losses(1, 1);
        QCOMPARE(second.size(), 16u);
        const BlockFinished outcome = finished(1);
        QCOMPARE(outcome.kept_attempt, 1);
        QCOMPARE(outcome.best_loss_mse, *std::min_element(second.begin(), second.end()));
        QVERIFY(outcome.best_loss_mse < losses(1, 0).back());
        QCOMPARE(losses(2, 0).size(), 4u);  // for this block only
        const auto redone = recorder_.all<BlockRedone>();
        QCOMPARE(redone.size(), 1u);
        QCOMPARE(redone[0].iters, 16);
        QCOMPARE(redone[0].lr, 1.0 / 16);
        QCOMPARE(QString::fromStdString(redone[0].changes), QString("iters 4 -> 16, lr 0.25 -> 0.0625"));
        verify_progress_never_falls();
    }

    void the_newest_is_kept_when_asked_for_data() {
        QTest::addColumn<bool>("newest");
        QTest::addRow("better") << false;
        QTest::addRow("newest") << true;
    }
    void the_newest_is_kept_when_asked_for() {
        QFETCH(bool, newest);
        order_at(3, redo({}, tuned_w2, newest ? BlockOrder::Keep::Newest : BlockOrder::Keep::Better));
        const RunConfig config = this->config(llama, tuned_w4);
        const std::string bytes = run(config);
        const BlockFinished outcome = finished(1);
        QCOMPARE(outcome.attempts, 2);
        QCOMPARE(outcome.kept_attempt, newest ? 1 : 0);
        const auto& kept = losses(1, newest ? 1 : 0);
        QCOMPARE(outcome.best_loss_mse, *std::min_element(kept.begin(), kept.end()));
        const auto changes = recorder_.all<RecipeChanged>();
        QCOMPARE(changes.size(), newest ? 1u : 2u);
        QCOMPARE(bytes == run_undisturbed(config), !newest);
        std::map<std::string, std::string> scheme;  // as last told
        for (const auto& module : recorder_.all<ModuleQuantized>()) scheme[module.module] = module.scheme;
        QVERIFY(QString::fromStdString(scheme["model.layers.1.mlp.up_proj"]).contains(newest ? "W2" : "W4"));
        if (!newest) {
            QCOMPARE(QString::fromStdString(changes.back().recipe_yaml), QString::fromStdString(tuned_w4));
            QCOMPARE(read_bytes(config.output_dir / "recipe.yaml"), read_bytes(path("undisturbed") / "recipe.yaml"));
            QCOMPARE(read_bytes(config.output_dir / "config.json"), read_bytes(path("undisturbed") / "config.json"));
        }
    }

    void a_lower_rate_is_obeyed() {
        BlockOrder order = redo();
        order.lr = 0.01;
        order.minmax_lr = 0.002;
        order_at(0, order);
        (void)run(config(llama, tuned_w4));
        const auto redone = recorder_.all<BlockRedone>();
        QCOMPARE(redone.size(), 1u);
        QCOMPARE(redone[0].lr, 0.01);
        QCOMPARE(QString::fromStdString(redone[0].changes), QString("lr 0.25 -> 0.01, minmax_lr 0.25 -> 0.002"));
        QCOMPARE(losses(1, 1).size(), 4u);
        QCOMPARE(losses(1, 1)[0], losses(1, 0)[0]);
        QVERIFY(losses(1, 1)[1] != losses(2, 0)[1]);
    }

    void what_comes_before_tuning_is_for_the_first_attempt() {
        recorder_.react = [this](const RunEvent& event) {
            const auto* started = std::get_if<BlockStarted>(&event);
            if (started && started->block == 1) control_->order(redo(7));
        };
        (void)run(config(llama, tuned_w4));
        QCOMPARE(losses(1, 0).size(), 7u);
        QVERIFY(losses(1, 1).empty());
        QCOMPARE(finished(1).attempts, 1);
        verify_progress_never_falls();
    }

    void rounded_blocks_are_compared_by_their_outputs() {
        order_at(0, redo({}, tuned_w2));
        const RunConfig config = this->config(llama, nearest_w8);
        const std::string bytes = run(config);
        QCOMPARE(losses(1, 0).size(), 1u);
        QCOMPARE(losses(1, 1).size(), 4u);
        QCOMPARE(finished(1).kept_attempt, 0);  // 8 bits beat 2
        QCOMPARE(finished(1).best_loss_mse, losses(1, 0)[0]);
        QVERIFY(bytes == run_undisturbed(config));
        verify_progress_never_falls();
    }

    void no_iterations_mean_rounding_to_nearest() {
        order_at(0, redo(0, "", BlockOrder::Keep::Newest));
        (void)run(config(llama, tuned_w4));
        QCOMPARE(losses(1, 1).size(), 1u);
        QCOMPARE(finished(1).kept_attempt, 1);
    }

    void a_changed_run_goes_on_after_a_stop() {
        RunConfig config = this->config(llama, tuned_w4);
        order_at(1, redo({}, tuned_w8, BlockOrder::Keep::Newest));
        const std::string whole = run(config);
        const std::string about_whole = read_bytes(config.output_dir / "config.json");

        config.output_dir = path("resumed");
        config.run_dir = path("run");
        order_at(1, redo({}, tuned_w8, BlockOrder::Keep::Newest));
        const auto order = recorder_.react;
        recorder_.react = [&](const RunEvent& event) {
            order(event);
            if (const auto* loss = std::get_if<LossRecorded>(&event); loss && loss->block == 2) control_->request_cancel();
        };
        QVERIFY_EXCEPTION_THROWN(run(config), Cancelled);

        control_ = std::make_unique<RunControl>();
        recorder_.react = nullptr;
        config.resume = true;
        const std::string resumed = run(config);
        QCOMPARE(recorder_.all<RunStarted>().front().first_block, 2);
        QVERIFY(resumed == whole);
        QCOMPARE(read_bytes(config.output_dir / "config.json"), about_whole);
    }
};

QTEST_GUILESS_MAIN(OrdersTest)
#include "tst_orders.moc"
