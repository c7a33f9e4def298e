#include <QMenu>
#include <QSignalSpy>
#include <QTest>
#include <QToolBar>
#include <QToolButton>
#include <QTreeView>

#include "tests/ui/fake_runs.h"
#include "tests/ui/window_fixture.h"
#include "ui/actions.h"
#include "ui/models/log_model.h"
#include "ui/palette/palette_entries.h"
#include "ui/panels/log_panel.h"
#include "ui/panels/message_bar.h"
#include "ui/panels/plots_page.h"
#include "ui/panels/progress_line.h"
#include "ui/runs/runs_page.h"
#include "ui/theme.h"

using namespace calibench;
using namespace calibench::test;
using State = RunController::State;

/// What the Runs tab asks of the window, and runs that take over blocks of earlier ones.
class TestRunsWindow : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void initTestCase() { installStyle(); }

    void init() {
        failOnAnyWarning();
        m_folder = std::make_unique<WindowFolder>();
        m_runs = std::make_shared<FakeRuns>();
        QSettings(m_folder->file("settings.ini"), QSettings::IniFormat).setValue(QStringLiteral("run/workspace"), m_runs->workspace());
        qputenv("XDG_DATA_HOME", m_runs->file(QStringLiteral("data")).toLocal8Bit());
    }

    void aRunIsShownAndItsRecipeTaken() {
        CoreServices core = coreOf();
        core.readRun = [](const std::filesystem::path& directory) {
            StoredRun run;
            run.config.run_dir = directory;
            run.ending = StoredRun::Ending::Finished;
            run.events = {startOf(denseModel(2)), BlockFinished{.block = 0}, BlockFinished{.block = 1}, RunFinished{{.seconds = 5, .num_quantized_modules = 6}}};
            return run;
        };
        m_runs->add(QStringLiteral("monday"), earlier());
        TestWindow w(m_folder->path(), core);
        openAll(w, *m_folder);
        RunsPage& page = choose(w, QStringLiteral("monday"));
        page.showRun->trigger();
        QTRY_COMPARE(w->controller().state(), State::Done);
        QVERIFY2(w->messages()->text().startsWith(QStringLiteral("Finished in 0:05")), qPrintable(w->messages()->text()));

        page.useRecipe->trigger();
        QTRY_VERIFY(w->session().recipe().contains(QStringLiteral("group_size: 64")));
        w->recipePanel()->undoAction()->trigger();
        QTRY_VERIFY(!w->session().recipe().contains(QStringLiteral("group_size: 64")));
    }

    void aRunOfAnotherModelOpensThatFirst() {
        CoreServices core = coreOf();
        core.readRun = [](const std::filesystem::path& directory) {
            StoredRun run;
            run.config.run_dir = directory;
            run.ending = StoredRun::Ending::Finished;
            run.events = {startOf(denseModel(2)), RunFinished{}};
            return run;
        };
        QDir(m_folder->path()).mkpath(QStringLiteral("other"));
        RunFacts facts = earlier();
        facts.config.model_dir = toPath(m_folder->file("other"));
        m_runs->add(QStringLiteral("monday"), facts);
        TestWindow w(m_folder->path(), core);
        openAll(w, *m_folder);
        RunsPage& page = choose(w, QStringLiteral("monday"));
        page.showRun->trigger();
        QTRY_COMPARE(w->controller().state(), State::Done);
        QCOMPARE(w->session().modelFolder(), m_folder->file("other"));
    }

    void aTrashedRunIsForgotten() {
        const QString directory = m_runs->add(QStringLiteral("monday"), earlier());
        TestWindow w(m_folder->path(), coreOf());
        openAll(w, *m_folder);
        RunsPage& page = choose(w, QStringLiteral("monday"));
        page.trash->trigger();
        QTRY_VERIFY(w->messages()->text().contains(QStringLiteral("“monday” is in the trash")));
        QCOMPARE(page.list().find(directory), -1);
    }

    void theCommandsAreInThePalette() {
        m_runs->add(QStringLiteral("monday"), earlier());
        TestWindow w(m_folder->path(), coreOf());
        openAll(w, *m_folder);
        choose(w, QStringLiteral("monday"));
        QStringList titles;
        for (const PaletteEntry& entry : paletteEntries(*w.window, w.settings, {})) titles << entry.title;
        for (const char* wanted : {"Show run", "Rename run", "Use the run's recipe", "Measure perplexity…", "Move run to the trash", "Run: Run only what changed"})
            QVERIFY2(titles.contains(QString::fromUtf8(wanted)), wanted);
    }

    void whatDidNotChangeIsOfferedAndTakenOver() {
        const QString directory = m_runs->add(QStringLiteral("monday"), earlier());
        CoreServices core = coreOf();
        core.previewReuse = [](const RunConfig& config) {
            if (config.recipe_yaml.find("other") != std::string::npos) return ReusePreview{.num_blocks = 0, .all_blocks = 2, .end = "another seed"};
            return ReusePreview{.num_blocks = 1, .all_blocks = 2, .end = "model.layers.1: another scheme for q_proj"};
        };
        auto hold = std::make_shared<std::atomic<bool>>(true);
        core.runCalibration = [hold](const RunConfig& config, RunListener& listener, RunControl& control) {
            RunStarted started = startOf(denseModel(2), 3);
            if (!config.reuse.empty()) {
                started.reused_blocks = 1;
                started.reuse_end = "model.layers.1: another scheme for q_proj";
            }
            listener.on_event(started);
            listener.on_event(Progress{.block = 0, .num_blocks = 2, .stage = "restoring", .fraction = 0.1});
            while (*hold) {
                control.checkpoint();
                std::this_thread::sleep_for(std::chrono::milliseconds(1));
            }
            return RunSummary{.run_dir = config.run_dir};
        };
        TestWindow w(m_folder->path(), core);
        QAction* rerun = w->actions().rerun;
        QVERIFY(!rerun->isEnabled());
        openAll(w, *m_folder);
        QTRY_VERIFY2(rerun->isEnabled(), qPrintable(rerun->toolTip()));
        QCOMPARE(rerun->text().remove(QLatin1Char('&')), QStringLiteral("Run only what changed (from block 1)"));
        QVERIFY2(rerun->toolTip().contains(QStringLiteral("1 of 2 blocks from “monday” (model.layers.1: another scheme for q_proj)")), qPrintable(rerun->toolTip()));
        auto* button = qobject_cast<QToolButton*>(w->findChild<QToolBar*>()->widgetForAction(w->actions().run));
        QVERIFY(button->menu()->actions().contains(rerun));

        rerun->trigger();
        QTRY_COMPARE(w->controller().state(), State::Running);
        QCOMPARE(toText(w->controller().config().reuse), directory);
        QVERIFY(!rerun->isEnabled());
        QTRY_COMPARE(w->findChild<ProgressLine*>()->stageText(), QStringLiteral("Taking over, block 1 of 2"));
        const QAbstractItemModel* log = w->findChild<LogPanel*>()->findChild<QTreeView*>()->model();
        bool told = false;
        for (int row = 0; row < log->rowCount(); ++row)
            told |= log->index(row, LogModel::MessageColumn).data().toString().startsWith(QStringLiteral("1 of 2 blocks are taken over from ") + directory);
        QVERIFY(told);
        *hold = false;
        QTRY_COMPARE(w->controller().state(), State::Done);

        // Nothing is left to take over once the recipe is another one, and why is said.
        w->session().changeRecipe(QStringLiteral("other_stage: {}\n"));
        QTRY_VERIFY2(rerun->toolTip().contains(QStringLiteral("Nothing can be taken over from “monday”: another seed")), qPrintable(rerun->toolTip()));
        QVERIFY(!rerun->isEnabled());
    }

private:
    [[nodiscard]] CoreServices coreOf() const {
        CoreServices core = fakeCore();
        FakeRuns::install(m_runs, core);
        core.previewReuse = [](const RunConfig&) { return ReusePreview{}; };
        return core;
    }
    /// Of the folder's model and text, with the settings that a run has at first.
    [[nodiscard]] RunFacts earlier() const {
        RunFacts facts = finishedRun();
        const DataSettings data;
        facts.config.model_dir = toPath(m_folder->file("tiny"));
        facts.config.dataset = toPath(m_folder->file("text.txt"));
        facts.config.num_samples = data.numSamples;
        facts.config.seq_len = data.seqLen;
        facts.config.seed = static_cast<uint64_t>(data.seed);
        return facts;
    }
    static RunsPage& choose(TestWindow& w, const QString& title) {
        w->plots()->setCurrentTab(PlotsPage::Runs);
        RunsPage& page = *w->plots()->runsPage();
        if (!QTest::qWaitFor([&page] { return !page.list().runs().empty() && !page.list().busy(); }, 5000)) qFatal("the runs are not read");
        for (const KnownRun& run : page.list().runs())
            if (run.title() == title) page.select({run.directory});
        return page;
    }

    std::unique_ptr<WindowFolder> m_folder;
    std::shared_ptr<FakeRuns> m_runs;
};

QTEST_MAIN(TestRunsWindow)
#include "tst_runs_window.moc"
