#include <QAbstractItemModelTester>
#include <QApplication>
#include <QCheckBox>
#include <QComboBox>
#include <QLabel>
#include <QLineEdit>
#include <QPushButton>
#include <QSignalSpy>
#include <QSpinBox>
#include <QTemporaryDir>
#include <QTest>
#include <QTreeView>

#include <atomic>

#include "tests/ui/fake_core.h"
#include "tests/ui/fake_run.h"
#include "ui/models/attempts_model.h"
#include "ui/models/log_model.h"
#include "ui/panels/intervene_panel.h"
#include "ui/panels/progress_line.h"
#include "ui/recipe_follower.h"
#include "ui/session.h"

using namespace calibench;
using State = RunController::State;

class TestIntervene : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void init() { test::failOnAnyWarning(); }

    void redoesABlockAndShowsBothAttempts() {
        Bench bench(test::FakeRun{.pauseAt = 2});
        bench.hold()->click();
        bench.start();
        QTRY_COMPARE(bench.controller.state(), State::Paused);
        QTRY_COMPARE(bench.cells(0), QStringList({"1", "as in the recipe", "2 of 5", "1.00e-4", "5.00e-5", "1", "best so far"}));
        QVERIFY2(bench.title().contains(QStringLiteral("Block 1 of 2, model.layers.0: held")), qPrintable(bench.title()));
        QCOMPARE(bench.iters()->value(), 5);

        bench.iters()->setValue(8);
        bench.button("Redo block")->click();
        QTRY_VERIFY(bench.table().rowCount() == 2 && bench.cells(1).at(2) == QStringLiteral("8 of 8"));
        QTRY_COMPARE(bench.controller.state(), State::Paused);  // at the block's end
        QCOMPARE(bench.cells(1), QStringList({"2", "iters 5 -> 8", "8 of 8", "5.00e-5", "6.25e-6", "7", "best so far"}));
        QCOMPARE(bench.cells(0).at(2), QStringLiteral("2 of 5"));
        QCOMPARE(bench.cells(0).at(6), QString());
        QCOMPARE(bench.iters()->value(), 8);

        bench.button("Resume")->click();
        QTRY_VERIFY(bench.title().startsWith(QStringLiteral("Block 2 of 2")) && bench.controller.state() == State::Paused);
        QCOMPARE(bench.table().rowCount(), 1);
        QCOMPARE(bench.iters()->value(), 5);  // the next block is the recipe's again
        bench.hold()->click();
        bench.button("Resume")->click();
        QTRY_COMPARE(bench.controller.state(), State::Done);
        QCOMPARE(bench.cells(0).at(6), QStringLiteral("kept"));
        QCOMPARE(bench.controller.record().blocks().at(0).result->kept_attempt, 1);
    }

    void takesTheBestSoFar() {
        Bench bench(test::FakeRun{.blocks = 1, .endless = true});
        bench.start();
        QTRY_VERIFY(bench.button("Take the best so far")->isEnabled());
        bench.button("Take the best so far")->click();
        QTRY_COMPARE(bench.controller.state(), State::Done);
        QVERIFY(!bench.button("Take the best so far")->isEnabled());
    }

    void pausesAndResumes() {
        Bench bench(test::FakeRun{.blocks = 1, .endless = true});
        bench.start();
        QTRY_COMPARE(bench.controller.state(), State::Running);
        bench.button("Pause")->click();
        QCOMPARE(bench.controller.state(), State::Paused);
        bench.button("Resume")->click();
        QCOMPARE(bench.controller.state(), State::Running);
        bench.controller.requestStop();
        QTRY_COMPARE(bench.controller.state(), State::Stopped);
        QVERIFY(bench.title().endsWith(QStringLiteral("not finished")));
    }

    void saysWhyNot() {
        Bench bench(test::FakeRun{.blocks = 1, .iters = 0});
        for (const char* name : {"Redo block", "Take the best so far", "Pause"}) {
            QVERIFY(!bench.button(name)->isEnabled());
            QVERIFY2(bench.button(name)->toolTip().contains(QStringLiteral("No run is at work.")), name);
        }
        bench.hold()->click();
        bench.start();
        QTRY_COMPARE(bench.controller.state(), State::Paused);
        QTRY_VERIFY(bench.button("Redo block")->toolTip().contains(QStringLiteral("rounds to nearest")));
        QVERIFY(!bench.iters()->isEnabled());
        bench.button("Resume")->click();
        QTRY_COMPARE(bench.controller.state(), State::Done);
    }

    void asksForANumberThatIsOne() {
        Bench bench(test::FakeRun{.pauseAt = 2});
        bench.start();
        QTRY_VERIFY(bench.controller.state() == State::Paused && bench.button("Redo block")->isEnabled());
        for (const char* wrong : {"fast", "-1", "0", "nan"}) {
            bench.rate("Learning rate")->setText(QString::fromLatin1(wrong));
            QVERIFY2(!bench.button("Redo block")->isEnabled(), wrong);
            QVERIFY(bench.problem()->text().startsWith(QStringLiteral("Learning rate: write a number")));
        }
        bench.rate("Learning rate")->setText(QStringLiteral("1e-3"));
        QVERIFY(bench.button("Redo block")->isEnabled());
        QVERIFY(bench.problem()->isHidden());
    }

    void anEmptiedRateIsAutomaticAgain() {
        Bench bench(test::FakeRun{.blocks = 1, .pauseAt = 2});
        bench.hold()->click();
        bench.start();
        const auto attempts = [&]() -> const std::vector<AttemptRecord>& { return bench.controller.record().blocks().at(0).attempts; };
        QTRY_COMPARE(bench.controller.state(), State::Paused);
        QTRY_VERIFY(bench.button("Redo block")->isEnabled());
        QCOMPARE(bench.rate("Learning rate")->placeholderText(), QStringLiteral("automatic, 0.2"));
        bench.rate("Learning rate")->setText(QStringLiteral("0.02"));
        bench.button("Redo block")->click();
        QTRY_VERIFY(bench.controller.state() == State::Paused && attempts().size() == 2);
        QCOMPARE(attempts().at(1).lr, 0.02);
        QCOMPARE(bench.rate("Learning rate")->text(), QStringLiteral("0.02"));
        bench.rate("Learning rate")->clear();
        bench.iters()->setValue(4);
        bench.button("Redo block")->click();
        QTRY_VERIFY(bench.controller.state() == State::Paused && attempts().size() == 3);
        QCOMPARE(attempts().at(2).lr, 0.25);
        QCOMPARE(bench.rate("Learning rate")->text(), QString());
    }

    void anotherSchemeBecomesARecipeThatTheEditorFollows_data() {
        QTest::addColumn<bool>("edited");
        QTest::newRow("as it was") << false;
        QTest::newRow("changed meanwhile") << true;
    }
    void anotherSchemeBecomesARecipeThatTheEditorFollows() {
        QFETCH(bool, edited);
        Bench bench(test::FakeRun{.pauseAt = 2});
        QSignalSpy changes(&bench.session, &Session::recipeChangeRequested);
        bench.start();
        QTRY_VERIFY(bench.controller.state() == State::Paused && bench.button("Redo block")->isEnabled());
        if (edited) bench.session.setRecipe(QStringLiteral("something else\n"));
        bench.combo("Scheme")->setCurrentText(QStringLiteral("W8A8"));
        bench.button("Redo block")->click();
        QTRY_COMPARE(bench.controller.state(), State::Done);
        const QString now = QString::fromStdString(bench.controller.config().recipe_yaml);
        QVERIFY2(now.startsWith(QStringLiteral("recipe\n# W8")) && now.contains(QStringLiteral("model.layers.0.mlp.down_proj")), qPrintable(now));
        QVERIFY(!now.contains(QStringLiteral("model.layers.1")));  // of this block only
        QCOMPARE(changes.count(), edited ? 0 : 1);
        if (!edited) QCOMPARE(changes.at(0).at(0).toString(), now);
        const QString note = bench.log.index(bench.log.rowCount() - 1, LogModel::MessageColumn).data().toString();
        QVERIFY2(note.contains(edited ? QStringLiteral("keeps yours") : QStringLiteral("now in the editor")), qPrintable(note));
    }

    void aSchemeThatDoesNotFitIsRefused() {
        CoreServices services = test::fakeCore();
        services.withOverride = [](const auto&...) -> std::string { throw InputError("group_size 128 does not divide 16 columns. Use 16."); };
        Bench bench(test::FakeRun{.pauseAt = 2}, services);
        bench.start();
        QTRY_VERIFY(bench.controller.state() == State::Paused && bench.button("Redo block")->isEnabled());
        bench.combo("Scheme")->setCurrentIndex(1);
        bench.button("Redo block")->click();
        QTRY_VERIFY(bench.problem()->text().contains(QStringLiteral("does not divide")));
        QCOMPARE(bench.controller.state(), State::Paused);
        QCOMPARE(bench.table().rowCount(), 1);
        bench.combo("Scheme")->setCurrentIndex(0);
        bench.button("Redo block")->click();
        QTRY_COMPARE(bench.controller.state(), State::Done);
        QVERIFY(bench.problem()->isHidden());
    }

    void theProgressLineTellsLossAndSpeed() {
        std::atomic<bool> seen = false;
        RunController controller([&seen](const RunConfig&, RunListener& listener, RunControl& control) -> RunSummary {
            RunStarted started = test::startOf(test::denseModel(2), 20);  // samples of 32 tokens
            started.batch_size = 2;
            listener.on_event(started);
            const auto progress = [&](int64_t iteration, double elapsed) {
                listener.on_event(Progress{.block = 1, .num_blocks = 2, .iteration = iteration, .iters = 20, .stage = "tuning", .fraction = 0.5,
                                           .elapsed_seconds = elapsed, .remaining_seconds = 7265});
            };
            listener.on_event(LossRecorded{.block = 1, .iteration = 0, .loss_mse = 4e-9, .best = true});
            listener.on_event(LossRecorded{.block = 1, .iteration = 1, .loss_mse = 1e-9, .best = true});
            progress(1, 100);
            while (!seen) control.checkpoint();
            progress(5, 102);
            for (;;) control.checkpoint();
        });
        ProgressLine line(controller);
        line.show();
        const auto label = [&](const QString& start) -> const QLabel* {
            for (const auto* each : line.findChildren<QLabel*>())
                if (each->isVisible() && each->text().startsWith(start)) return each;
            return nullptr;
        };
        controller.start({}, test::denseModel(2));
        QTRY_VERIFY(label(QStringLiteral("loss 4.00e-9 → 1.00e-9")));
        const QString help = label(QStringLiteral("loss"))->toolTip();
        QVERIFY2(help.contains(QStringLiteral("at iteration 1 (-75.0")), qPrintable(help));
        QVERIFY(!label(QStringLiteral("128 tokens/s")));
        seen = true;
        QTRY_VERIFY(label(QStringLiteral("128 tokens/s")));  // 4 iterations of 64 tokens in 2 s
        QCOMPARE(line.stageText(), QStringLiteral("Tuning, block 2 of 2"));
        QVERIFY(label(QStringLiteral("1:4")) && label(QStringLiteral("1:4"))->text().contains(QStringLiteral("2:01:0")));
        controller.requestStop();
        QTRY_COMPARE(controller.state(), State::Stopped);
        QVERIFY(!label(QStringLiteral("128 tokens/s")));
    }

    void theNewestIsKeptWhenAskedFor() {
        RunRecord record;
        record.begin(test::denseModel(1));
        AttemptsModel model(record);
        QAbstractItemModelTester tester(&model, QAbstractItemModelTester::FailureReportingMode::QtTest);
        RunSnapshot snapshot;
        snapshot.started = test::startOf(test::denseModel(1), 1);
        snapshot.losses = {{.block = 0, .iteration = 0, .loss_mse = 1e-9, .best = true}, {.block = 0, .iteration = 0, .loss_mse = 2e-9, .best = true, .attempt = 1}};
        record.apply(snapshot);
        model.setBlock(0);
        QCOMPARE(model.keptAttempt(), 0);
        QCOMPARE(model.index(0, AttemptsModel::BestLossColumn).data().toString(), QStringLiteral("1.00e-9"));
        model.setKeep(BlockOrder::Keep::Newest);
        QCOMPARE(model.index(0, AttemptsModel::KeptColumn).data().toString(), QString());
        QCOMPARE(model.index(1, AttemptsModel::KeptColumn).data().toString(), QStringLiteral("newest"));
        RunSnapshot end;
        end.blocksFinished = {{.block = 0, .attempts = 2, .kept_attempt = 0}};
        record.apply(end);
        model.refresh();
        QCOMPARE(model.index(0, AttemptsModel::KeptColumn).data().toString(), QStringLiteral("kept"));
        record.begin(test::denseModel(1));
        model.refresh();
        QCOMPARE(model.rowCount(), 0);
    }

private:
    /// A panel with all that stands behind it, and a run that is a fake.
    struct Bench {
        explicit Bench(test::FakeRun run, CoreServices services = test::fakeCore())
            : session(services), controller(run), follower(controller, session, log), panel(session, controller),
              tester(&table(), QAbstractItemModelTester::FailureReportingMode::QtTest) {
            session.openModel(folder.path());
            session.setRecipe(QStringLiteral("recipe\n"));
            panel.show();
        }
        void start() {
            QTRY_COMPARE(session.modelState(), Session::ModelState::Ready);
            controller.start({.recipe_yaml = session.recipe().toStdString()}, test::denseModel(2));
        }

        AttemptsModel& table() const { return *panel.findChild<AttemptsModel*>(); }
        QStringList cells(int row) const {
            QStringList texts;
            for (int column = 0; column < AttemptsModel::NUM_COLUMNS; ++column) texts << table().index(row, column).data().toString();
            return texts;
        }
        QString title() const { return panel.findChildren<QLabel*>().constFirst()->text(); }
        QLabel* problem() const { return panel.findChild<QLabel*>(QStringLiteral("problem")); }
        QSpinBox* iters() const { return panel.findChild<QSpinBox*>(); }
        QCheckBox* hold() const { return panel.findChild<QCheckBox*>(); }
        QLineEdit* rate(const char* name) const { return named<QLineEdit>(name, &QWidget::accessibleName); }
        QComboBox* combo(const char* name) const { return named<QComboBox>(name, &QWidget::accessibleName); }
        QPushButton* button(const char* name) const { return named<QPushButton>(name, &QAbstractButton::text); }
        template <typename T, typename Name>
        T* named(const char* name, Name get) const {
            for (T* widget : panel.findChildren<T*>())
                if ((widget->*get)() == QLatin1String(name)) return widget;
            qFatal("no such widget: %s", name);
        }

        QTemporaryDir folder;
        Session session;
        RunController controller;
        LogModel log;
        RecipeFollower follower;
        IntervenePanel panel;
        QAbstractItemModelTester tester;
    };
};

QTEST_MAIN(TestIntervene)
#include "tst_intervene.moc"
