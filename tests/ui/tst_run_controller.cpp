#include <QSignalSpy>
#include <QTest>

#include <atomic>
#include <future>
#include <stdexcept>

#include "core/base/error.h"
#include "tests/ui/fake_run.h"
#include "tests/ui/fixtures.h"
#include "ui/run_controller.h"

using namespace calibench;
using State = RunController::State;

class TestRunController : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void init() { test::failOnAnyWarning(); }

    void feedKeepsEveryLossAndTheNewestRange() {
        int notices = 0;
        RunFeed feed([&] { ++notices; });
        for (int i = 0; i < 5; ++i) feed.on_event(LossRecorded{.block = 0, .iteration = i, .loss_mse = 1.0 / (i + 1)});
        feed.on_event(RangeObserved{.module = "a", .tap = Tap::Weight, .min = -1, .max = 1});
        feed.on_event(RangeObserved{.module = "a", .tap = Tap::Input, .min = -2, .max = 2});
        feed.on_event(RangeObserved{.module = "a", .tap = Tap::Weight, .min = -3, .max = 3});
        feed.on_event(TokensCounted{.module = "a", .tokens = 10});
        feed.on_event(TokensCounted{.module = "a", .tokens = 30});
        QCOMPARE(notices, 1);

        const RunSnapshot snapshot = feed.drain();
        QCOMPARE(snapshot.losses.size(), 5u);
        QCOMPARE(snapshot.losses[4].iteration, 4);
        QCOMPARE(snapshot.ranges.size(), 2u);
        QCOMPARE(snapshot.ranges[0].max, 3.0);
        QCOMPARE(snapshot.ranges[1].max, 2.0);
        QCOMPARE(snapshot.tokens.size(), 1u);
        QCOMPARE(snapshot.tokens[0].tokens, 30);

        QVERIFY(feed.drain().empty());
        feed.on_event(RangeObserved{.module = "a", .tap = Tap::Weight, .min = -4, .max = 4});
        QCOMPARE(notices, 2);
        QCOMPARE(feed.drain().ranges.at(0).max, 4.0);
    }

    void finishes() {
        RunController controller([](const RunConfig& config, RunListener& listener, RunControl&) {
            listener.on_event(test::startOf(test::denseModel()));
            listener.on_event(LossRecorded{.block = 0, .iteration = 0, .loss_mse = 0.5, .best = true});
            return RunSummary{.num_quantized_modules = config.num_samples};
        });
        Spies spies(controller);
        controller.start({.num_samples = 7}, test::denseModel());
        QCOMPARE(controller.state(), State::Loading);
        QVERIFY(spies.awaitEnd());
        QCOMPARE(controller.state(), State::Done);
        QCOMPARE(spies.started.count(), 1);
        QCOMPARE(spies.finished.count(), 1);
        QCOMPARE(spies.stopped.count() + spies.failed.count(), 0);
        QCOMPARE(spies.summary.num_quantized_modules, 7);
        QCOMPARE(controller.record().blocks().at(0).losses().size(), 1u);
        QVERIFY(spies.states.contains(State::Running));
    }

    void failsWithTheSentence_data() {
        QTest::addColumn<bool>("memory");
        QTest::addColumn<QString>("sentence");
        QTest::newRow("error") << false << QStringLiteral("the disk is full");
        QTest::newRow("memory") << true << QStringLiteral("more memory");
    }
    void failsWithTheSentence() {
        QFETCH(bool, memory);
        QFETCH(QString, sentence);
        RunController controller([memory](const RunConfig&, RunListener&, RunControl&) -> RunSummary {
            if (memory) throw std::bad_alloc();
            throw RunError("the disk is full");
        });
        Spies spies(controller);
        controller.start({}, test::denseModel());
        QVERIFY(spies.awaitEnd());
        QCOMPARE(controller.state(), State::Failed);
        QCOMPARE(spies.failed.count(), 1);
        QVERIFY2(spies.message.contains(sentence), qPrintable(spies.message));
    }

    void stopsInTheMiddleAndKeepsWhatIsKnown() {
        RunController controller(runsUntilStopped);
        Spies spies(controller);
        controller.start({}, test::denseModel());
        QTRY_COMPARE(controller.state(), State::Running);
        controller.requestStop();
        QCOMPARE(controller.state(), State::Stopping);
        QVERIFY(spies.awaitEnd());
        QCOMPARE(controller.state(), State::Stopped);
        QCOMPARE(spies.stopped.count(), 1);
        QCOMPARE(spies.failed.count(), 0);
        QCOMPARE(controller.record().blocks().at(0).losses().size(), 1u);
    }

    void stopsDuringStart() {
        std::promise<void> stopAsked;
        RunController controller([&, asked = stopAsked.get_future().share()](const RunConfig&, RunListener&, RunControl& control) -> RunSummary {
            asked.wait();
            control.checkpoint();
            return {};
        });
        Spies spies(controller);
        controller.start({}, test::denseModel());
        controller.requestStop();
        stopAsked.set_value();
        QVERIFY(spies.awaitEnd());
        QCOMPARE(controller.state(), State::Stopped);
        QCOMPARE(spies.stopped.count(), 1);
    }

    void pausesAndGoesOn() {
        std::atomic<int> rounds = 0;
        RunController controller([&](const RunConfig&, RunListener& listener, RunControl& control) -> RunSummary {
            listener.on_event(test::startOf(test::denseModel()));
            for (;;) {
                control.checkpoint();
                ++rounds;
                std::this_thread::yield();
            }
        });
        Spies spies(controller);
        controller.start({}, test::denseModel());
        QTRY_COMPARE(controller.state(), State::Running);
        controller.requestPause();
        QCOMPARE(controller.state(), State::Paused);
        controller.requestResume();
        QCOMPARE(controller.state(), State::Running);
        const int before = rounds;
        QTRY_VERIFY(rounds > before);
        controller.requestPause();
        controller.requestStop();  // a paused run must be stoppable
        QVERIFY(spies.awaitEnd());
        QCOMPARE(controller.state(), State::Stopped);
    }

    void losesNoPointOfABurst() {
        constexpr int Points = 100'000;
        RunController controller([](const RunConfig&, RunListener& listener, RunControl&) {
            listener.on_event(test::startOf(test::denseModel()));
            for (int i = 0; i < Points; ++i) listener.on_event(LossRecorded{.block = i % 2, .iteration = i / 2, .loss_mse = 1.0 + i});
            return RunSummary{};
        });
        Spies spies(controller);
        controller.start({}, test::denseModel());
        QVERIFY(spies.awaitEnd());
        const auto& blocks = controller.record().blocks();
        QCOMPARE(blocks.at(0).losses().size() + blocks.at(1).losses().size(), size_t(Points));
        for (int i = 0; i < Points / 2; ++i) QCOMPARE(blocks.at(1).losses().points()[size_t(i)], (SeriesPoint{double(i), 2.0 + 2 * i}));
        QVERIFY2(spies.snapshots < Points / 100, qPrintable(QString::number(spies.snapshots)));
    }

    void forgetsTheOldRunWhenANewOneStarts() {
        RunController controller([](const RunConfig& config, RunListener& listener, RunControl&) {
            listener.on_event(test::startOf(test::denseModel()));
            for (int i = 0; i < config.num_samples; ++i) listener.on_event(LossRecorded{.block = 0, .iteration = i, .loss_mse = 1});
            return RunSummary{};
        });
        Spies spies(controller);
        controller.start({.num_samples = 5}, test::denseModel());
        controller.start({.num_samples = 50}, test::denseModel());  // one at a time: ignored
        QVERIFY(spies.awaitEnd());
        QCOMPARE(controller.record().blocks().at(0).losses().size(), 5u);
        controller.start({.num_samples = 3}, test::denseModel());
        QTRY_COMPARE(spies.finished.count(), 2);
        QCOMPARE(controller.record().blocks().at(0).losses().size(), 3u);
    }

    void destructionStopsTheRunAndWaits() {
        std::atomic<bool> left = false;
        {
            RunController controller([&](const RunConfig& config, RunListener& listener, RunControl& control) -> RunSummary {
                try {
                    return runsUntilStopped(config, listener, control);
                } catch (const Cancelled&) {
                    left = true;
                    throw;
                }
            });
            controller.start({}, test::denseModel());
        }
        QVERIFY(left);
    }

    void tellsWhenTheRunPausesItself() {
        RunController controller(test::FakeRun{.pauseAt = 2});
        Spies spies(controller);
        controller.start({}, test::denseModel(2));
        QTRY_COMPARE(controller.state(), State::Paused);
        QTRY_COMPARE(controller.record().blocks().at(0).losses().size(), 2u);
        controller.requestResume();
        QCOMPARE(controller.state(), State::Running);
        QVERIFY(spies.awaitEnd());
        QCOMPARE(controller.state(), State::Done);
        QCOMPARE(controller.record().blocks().at(0).losses().size(), 5u);
    }

    void redoesABlockAndKeepsBothCurves() {
        RunController controller(test::FakeRun{.pauseAt = 2});
        Spies spies(controller);
        QSignalSpy recipes(&controller, &RunController::recipeChanged);
        controller.start({.recipe_yaml = "old"}, test::denseModel(2));
        QTRY_COMPARE(controller.state(), State::Paused);
        controller.order({.action = BlockOrder::Action::Redo, .iters = 4, .recipe_yaml = "new"});
        QCOMPARE(controller.state(), State::Running);
        QVERIFY(spies.awaitEnd());
        const BlockRecord& block = controller.record().blocks().at(0);
        QCOMPARE(block.attempts.size(), 2u);
        QCOMPARE(block.attempts[0].losses.size(), 2u);
        QCOMPARE(block.attempts[1].losses.size(), 4u);
        QCOMPARE(block.attempts[1].iters, 4);
        QCOMPARE(block.attempts[1].changes, std::string("iters 5 -> 4"));
        QCOMPARE(block.counted(), 1);
        QCOMPARE(recipes.count(), 1);
        QCOMPARE(recipes[0][0].toString(), QStringLiteral("old"));
        QCOMPARE(controller.config().recipe_yaml, std::string("new"));
    }

    void finishesABlockEarly() {
        RunController controller(test::FakeRun{.blocks = 1, .endless = true});
        Spies spies(controller);
        controller.start({}, test::denseModel(1));
        QTRY_VERIFY(controller.record().blocks().at(0).losses().size() > 7);  // beyond its planned iterations
        controller.order({.action = BlockOrder::Action::Finish});
        QVERIFY(spies.awaitEnd());
        QCOMPARE(controller.state(), State::Done);
        QCOMPARE(controller.record().blocks().at(0).state, BlockRecord::State::Done);
    }

    void holdsAtTheEndOfEachBlock() {
        RunController controller(test::FakeRun{.blocks = 2});
        Spies spies(controller);
        controller.setHoldAtBlockEnd(true);  // before there is a run
        controller.start({}, test::denseModel(2));
        for (size_t block = 0; block < 2; ++block) {
            QTRY_VERIFY(controller.state() == State::Paused && controller.record().blocks().at(block).losses().size() == 5);
            QCOMPARE(controller.record().blocks().at(block).state, BlockRecord::State::Tuning);
            controller.requestResume();
        }
        QVERIFY(spies.awaitEnd());
        QCOMPARE(controller.state(), State::Done);
        QCOMPARE(controller.record().blocks().at(1).state, BlockRecord::State::Done);
    }

    void goesOnBehindTheLastFinishedBlock() {
        test::FakeRun run{.blocks = 2, .endless = true};
        RunController controller(std::ref(run));
        Spies spies(controller);
        QSignalSpy cleared(&controller, &RunController::recordCleared);
        controller.start({.run_dir = "run"}, test::denseModel(2));
        QVERIFY(!controller.canContinue());
        QTRY_VERIFY(controller.record().blocks().at(1).losses().size() > 3);
        controller.requestStop();
        QTRY_COMPARE(controller.state(), State::Stopped);
        QVERIFY(controller.canContinue());
        const auto before = controller.record().blocks().at(0);

        run.endless = false;
        controller.continueRun();
        QCOMPARE(controller.state(), State::Loading);
        QCOMPARE(controller.record().blocks().at(0).state, BlockRecord::State::Done);
        QTRY_COMPARE(controller.state(), State::Done);
        QCOMPARE(cleared.count(), 1);
        QCOMPARE(controller.record().started()->first_block, 1);
        QCOMPARE(controller.record().blocks().at(0).losses().points(), before.losses().points());
        QVERIFY(controller.record().blocks().at(0).result);
        QCOMPARE(controller.record().blocks().at(1).losses().size(), 5u);  // from its beginning
        QVERIFY(controller.config().resume);
        QVERIFY(!controller.canContinue());
        QCOMPARE(spies.stopped.count(), 1);
        QCOMPARE(spies.finished.count(), 1);
    }

    void goesOnAfterAFailure() {
        test::FakeRun run{.blocks = 2, .failInBlock = 1};
        RunController controller(std::ref(run));
        Spies spies(controller);
        controller.start({.run_dir = "run"}, test::denseModel(2));
        QTRY_COMPARE(controller.state(), State::Failed);
        controller.continueRun();
        QTRY_COMPARE(controller.state(), State::Done);
        QCOMPARE(controller.record().started()->first_block, 1);
        QCOMPARE(controller.record().blocks().at(0).losses().size(), 5u);
        QCOMPARE(controller.record().blocks().at(1).losses().size(), 5u);
    }

    void showsAStoredRunThatWentOn() {
        const RunStarted first = test::startOf(test::denseModel(2));
        RunStarted second = first;
        second.first_block = 1;
        StoredRun stored;
        stored.config.run_dir = "run";
        stored.ending = StoredRun::Ending::Stopped;
        for (int part = 0; part < 2; ++part) {
            stored.events.push_back(part == 0 ? first : second);
            for (int64_t block = part; block < 2; ++block) {
                stored.events.push_back(LossRecorded{.block = block, .iteration = 0, .loss_mse = 1e-4, .best = true});
                stored.events.push_back(LossRecorded{.block = block, .iteration = 1, .loss_mse = part == 0 ? 9e-5 : 5e-5, .best = true});
                if (block == 0) stored.events.push_back(BlockFinished{.block = 0, .best_loss_mse = 9e-5, .best_iteration = 1});
            }
        }
        RunController controller(test::FakeRun{});
        controller.show(replay(stored, test::denseModel(2)));
        QCOMPARE(controller.state(), State::Stopped);
        QVERIFY(controller.canContinue());
        QCOMPARE(controller.record().blocks().at(0).losses().size(), 2u);
        QCOMPARE(controller.record().blocks().at(1).losses().size(), 2u);
        QCOMPARE(controller.record().blocks().at(1).best()->y, 5e-5);
        controller.clear(test::denseModel(2));
        QCOMPARE(controller.state(), State::Idle);
        QVERIFY(!controller.record().started());
    }

    void survivesOrdersInAllOrders() {
        RunController controller(test::FakeRun{.blocks = 1, .endless = true});
        Spies spies(controller);
        controller.start({}, test::denseModel(1));
        QTRY_COMPARE(controller.state(), State::Running);
        for (int i = 0; i < 300; ++i) {
            switch (i % 5) {
                case 0: controller.requestPause(); break;
                case 1: controller.order({.iters = 3 + i, .lr = 0.01, .recipe_yaml = std::string(100, 'r')}); break;
                case 2: controller.setHoldAtBlockEnd(i % 2 == 0); break;
                case 3: controller.requestPause(); break;
                default: controller.requestResume();
            }
            QCoreApplication::processEvents();
        }
        QTRY_VERIFY(controller.record().blocks().at(0).attempts.size() > 1);
        controller.requestStop();
        controller.order({});         // too late, and harmless
        controller.requestResume();
        QCOMPARE(controller.state(), State::Stopping);
        QVERIFY(spies.awaitEnd());
        QCOMPARE(controller.state(), State::Stopped);
    }

private:
    static RunSummary runsUntilStopped(const RunConfig&, RunListener& listener, RunControl& control) {
        listener.on_event(test::startOf(test::denseModel()));
        listener.on_event(BlockStarted{.block = 0, .name = "model.layers.0"});
        listener.on_event(LossRecorded{.block = 0, .iteration = 0, .loss_mse = 0.5, .best = true});
        for (;;) {
            control.checkpoint();
            std::this_thread::yield();
        }
    }

    struct Spies {
        explicit Spies(RunController& controller)
            : started(&controller, &RunController::runStarted), finished(&controller, &RunController::runFinished),
              stopped(&controller, &RunController::runStopped), failed(&controller, &RunController::runFailed) {
            QObject::connect(&controller, &RunController::runFinished, &context, [this](const RunSummary& s) { summary = s; });
            QObject::connect(&controller, &RunController::runFailed, &context, [this](const QString& m) { message = m; });
            QObject::connect(&controller, &RunController::snapshotArrived, &context, [this] { ++snapshots; });
            QObject::connect(&controller, &RunController::stateChanged, &context, [this](State state) { states << state; });
        }
        bool awaitEnd() { return QTest::qWaitFor([this] { return finished.count() + stopped.count() + failed.count() > 0; }, 20'000); }

        QObject context;
        QSignalSpy started, finished, stopped, failed;
        RunSummary summary;
        QString message;
        int snapshots = 0;
        QList<State> states;
    };
};

QTEST_GUILESS_MAIN(TestRunController)
#include "tst_run_controller.moc"
