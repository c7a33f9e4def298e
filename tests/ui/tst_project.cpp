#include <QApplication>
#include <QComboBox>
#include <QDialogButtonBox>
#include <QFileDialog>
#include <QLabel>
#include <QLineEdit>
#include <QMessageBox>
#include <QMimeData>
#include <QProcess>
#include <QPushButton>
#include <QSignalSpy>
#include <QTest>
#include <QTimer>
#include <QToolButton>

#include "tests/ui/window_fixture.h"
#include "ui/actions.h"
#include "ui/english_plurals.h"
#include "ui/format.h"
#include "ui/panels/data_panel.h"
#include "ui/panels/message_bar.h"
#include "ui/panels/plots_page.h"
#include "ui/panels/recent_list.h"
#include "ui/theme.h"

using namespace calibench;
using namespace calibench::test;
using State = RunController::State;

/// Projects through the window: saved and opened again, asked about, and saved from crashes.
class TestProject : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void initTestCase() {
        installStyle();
        QCoreApplication::installTranslator(new EnglishPlurals(this));
    }

    void init() {
        failOnAnyWarning();
        m_folder = std::make_unique<WindowFolder>();
    }

    void opensWhatWasSaved() {
        Project before;
        {
            TestWindow w(*m_folder);
            openAll(w, *m_folder);
            DataSettings data = w->session().data();
            data.numSamples = 7;
            w->session().setData(data);
            w.editor()->appendPlainText(QStringLiteral("# by hand"));
            w->plots()->setCurrentTab(2);
            w->project().save(file("mine.calibench"));
            QCOMPARE(w->windowTitle(), QStringLiteral("mine[*] – Calibench"));
            QVERIFY(!w->isWindowModified());
            before = w->project().current();
            QVERIFY(w->close());
        }
        QVERIFY2(m_folder->read("mine.calibench").contains("model: \"tiny\""), m_folder->read("mine.calibench"));
        TestWindow w(*m_folder);
        w->openProject(file("mine.calibench"));
        QVERIFY2(w.ready(), qPrintable(w->session().obstacle()));
        Project after = w->project().current();
        after.layout.window = before.layout.window;  // the window manager has a say in sizes
        QCOMPARE(after.model, before.model);
        QCOMPARE(after.datasets, before.datasets);
        QCOMPARE(after.recipe, before.recipe);
        QCOMPARE(after.layout.tab, 2);
        QVERIFY(!w->isWindowModified());
        QVERIFY(!w->recipePanel()->modified());
        QCOMPARE(w->recipePanel()->file(), file("recipe.yaml"));
        QCOMPARE(w.settings.recent(Settings::Recent::Projects).value(0), file("mine.calibench"));
    }

    void ctrlSSavesProjectAndRecipeFile() {
        TestWindow w(*m_folder);
        openAll(w, *m_folder);
        w->project().save(file("mine.calibench"));
        w.editor()->appendPlainText(QStringLiteral("# by hand"));
        QVERIFY(w->isWindowModified());
        QVERIFY(QTest::qWaitForWindowActive(w.window.get()));
        QTest::keyClick(w.window.get(), Qt::Key_S, Qt::ControlModifier);
        QVERIFY(!w->isWindowModified());
        QVERIFY(m_folder->read("recipe.yaml").contains("# by hand"));
        QVERIFY(!m_folder->read("mine.calibench").contains("# by hand"));
        QVERIFY(w->recipePanel()->file() == file("recipe.yaml"));
    }

    void anUntitledProjectIsGivenAName() {
        TestWindow w(*m_folder);
        openAll(w, *m_folder);
        QTimer::singleShot(0, this, [this] {
            auto* dialog = qobject_cast<QFileDialog*>(QApplication::activeModalWidget());
            QVERIFY(dialog);
            dialog->findChild<QLineEdit*>()->setText(file("fresh"));
            dialog->findChild<QDialogButtonBox*>()->button(QDialogButtonBox::Save)->click();
        });
        w->actions().saveProject->trigger();
        QCOMPARE(w->project().file(), file("fresh.calibench"));
        QVERIFY(QFileInfo::exists(file("fresh.calibench")));
    }

    void aRecipeWithoutAFileIsKeptInTheProject() {
        {
            TestWindow w(*m_folder);
            w->openModel(file("tiny"));
            w.editor()->replaceText(QStringLiteral("# mine:\u00a0kept\ntest_stage: {}\n"));
            QVERIFY(w->isWindowModified());
            w->project().save(file("mine.calibench"));
            QVERIFY(!w->isWindowModified());
            QVERIFY(w->close());
        }
        TestWindow w(*m_folder);
        w->openProject(file("mine.calibench"));
        QCOMPARE(w.editor()->text(), QStringLiteral("# mine:\u00a0kept\ntest_stage: {}\n"));
        QVERIFY(!w.editor()->document()->isUndoAvailable());  // no way back into another project's recipe
        QVERIFY(w->recipePanel()->file().isEmpty());
    }

    void asksBeforeLosingChanges_data() {
        QTest::addColumn<int>("how");
        QTest::newRow("close") << 0;
        QTest::newRow("new") << 1;
        QTest::newRow("open") << 2;
    }
    void asksBeforeLosingChanges() {
        QFETCH(int, how);
        m_folder->write("other.calibench", "calibench: 1\n");
        TestWindow w(*m_folder);
        openAll(w, *m_folder);
        w->project().save(file("mine.calibench"));
        w.editor()->appendPlainText(QStringLiteral("# by hand"));
        const auto leave = [&] {
            if (how == 0) w->close();
            if (how == 1) w->actions().newProject->trigger();
            if (how == 2) w->openProject(file("other.calibench"));
        };
        const auto left = [&] { return how == 0 ? !w->isVisible() : w->session().modelState() == Session::ModelState::None; };

        leave();
        auto* question = w->findChild<QMessageBox*>();
        QVERIFY(question && question->windowModality() == Qt::WindowModal);
        QVERIFY2(question->text().contains(QStringLiteral("mine")), qPrintable(question->text()));
        question->button(QMessageBox::Cancel)->click();
        QTest::qWait(0);
        QVERIFY(!left());
        QVERIFY(w.editor()->toPlainText().contains(QStringLiteral("# by hand")));

        QTRY_VERIFY(!w->findChild<QMessageBox*>());
        leave();
        w->findChild<QMessageBox*>()->button(QMessageBox::Save)->click();
        QTRY_VERIFY(left());
        QVERIFY(m_folder->read("recipe.yaml").contains("# by hand"));
    }

    void discardedChangesAreGone() {
        TestWindow w(*m_folder);
        openAll(w, *m_folder);
        w.editor()->appendPlainText(QStringLiteral("# by hand"));
        w->actions().newProject->trigger();
        w->findChild<QMessageBox*>()->button(QMessageBox::Discard)->click();
        QTRY_COMPARE(w->session().modelState(), Session::ModelState::None);
        QCOMPARE(w.editor()->toPlainText(), QString());
        QVERIFY(!m_folder->read("recipe.yaml").contains("# by hand"));
        QCOMPARE(w->windowTitle(), QStringLiteral("Calibench[*]"));
    }

    void merelyOpeningThingsIsNotAskedAbout() {
        TestWindow w(*m_folder);
        openAll(w, *m_folder);
        QVERIFY(!w->isWindowModified());
        QVERIFY(w->close());
    }

    void saysWhatIsWrongWithAProject() {
        m_folder->write("bad.calibench", "calibench: 1\nmodle: tiny\n");
        m_folder->write("gone.calibench", "calibench: 1\nmodel: nowhere\nrecipe: {file: nowhere.yaml}\n");
        TestWindow w(*m_folder);
        openAll(w, *m_folder);
        w->openProject(file("bad.calibench"));
        QVERIFY2(w->messages()->text().startsWith(QStringLiteral("bad.calibench, line 2")), qPrintable(w->messages()->text()));
        QCOMPARE(w->session().modelFolder(), file("tiny"));  // what was open stays
        QVERIFY(w->project().file().isEmpty());
        w->openProject(file("gone.calibench"));
        QVERIFY2(w->messages()->text().contains(QStringLiteral("nowhere.yaml")), qPrintable(w->messages()->text()));
    }

    void opensByDrop() {
        m_folder->write("mine.calibench", "calibench: 1\nmodel: tiny\ndatasets:\n  - file: text.txt\n");
        TestWindow w(*m_folder);
        QMimeData mime;
        mime.setUrls({QUrl::fromLocalFile(file("mine.calibench")), QUrl::fromLocalFile(file("recipe.yaml"))});
        QDragEnterEvent enter({20, 20}, Qt::CopyAction, &mime, Qt::LeftButton, Qt::NoModifier);
        QCoreApplication::sendEvent(w.window.get(), &enter);
        QDropEvent drop(QPointF(20, 20), Qt::CopyAction, &mime, Qt::LeftButton, Qt::NoModifier);
        QCoreApplication::sendEvent(w.window.get(), &drop);
        QTRY_COMPARE(w->session().modelState(), Session::ModelState::Ready);
        QCOMPARE(w->session().data().file, file("text.txt"));
        QVERIFY2(w->messages()->text().contains(QStringLiteral("recipe.yaml: the project")), qPrintable(w->messages()->text()));
    }

    void remembersEachTextWithItsNumbers() {
        m_folder->write("other.txt", "that is the question");
        TestWindow w(*m_folder);
        openAll(w, *m_folder);
        DataSettings data = w->session().data();
        data.numSamples = 9;
        w->session().setData(data);
        w->openData(file("other.txt"));
        data = w->session().data();
        data.numSamples = 3;
        w->session().setData(data);
        auto* box = w->findChild<DataPanel*>()->findChild<QComboBox*>();
        QCOMPARE(box->currentText(), file("other.txt"));
        QCOMPARE(box->count(), 2);
        box->setCurrentIndex(1);
        Q_EMIT box->activated(1);
        QCOMPARE(w->session().data().file, file("text.txt"));
        QCOMPARE(w->session().data().numSamples, 9);
    }

    void restoresAfterACrash_data() {
        QTest::addColumn<bool>("named");
        QTest::newRow("untitled") << false;
        QTest::newRow("named") << true;
    }
    void restoresAfterACrash() {
        QFETCH(bool, named);
        {
            TestWindow w(*m_folder);
            openAll(w, *m_folder);
            if (named) w->project().save(file("mine.calibench"));
            w.editor()->appendPlainText(QStringLiteral("# by hand"));
            w->autosave().saveNow();
        }  // not closed: crashed
        QVERIFY(!m_folder->read("recipe.yaml").contains("# by hand"));
        {
            TestWindow w(*m_folder);
            QTRY_VERIFY2(w->messages()->isVisible() && w->messages()->text().contains(named ? QStringLiteral("mine") : QStringLiteral("tiny")), qPrintable(w->messages()->text()));
            choose(w, QStringLiteral("Restore"));
            QVERIFY2(w.ready(), qPrintable(w->session().obstacle()));
            QVERIFY(w.editor()->toPlainText().contains(QStringLiteral("# by hand")));
            QCOMPARE(w->project().file(), named ? file("mine.calibench") : QString());
            QVERIFY(w->isWindowModified());
            w->actions().saveRecipe->trigger();
            if (named) w->actions().saveProject->trigger();
            QVERIFY(m_folder->read("recipe.yaml").contains("# by hand"));
            QVERIFY(w->close());
        }
        TestWindow w(*m_folder);
        QTest::qWait(50);
        QVERIFY2(!w->messages()->isVisible(), qPrintable(w->messages()->text()));  // nothing is offered twice
    }

    void discardsWhatIsNotWanted() {
        {
            TestWindow w(*m_folder);
            openAll(w, *m_folder);
            w->autosave().saveNow();
        }
        {
            TestWindow w(*m_folder);
            QTRY_VERIFY(w->messages()->isVisible());
            choose(w, QStringLiteral("Discard"));
            QVERIFY(!w->messages()->isVisible());
        }
        QCOMPARE(QDir(file("recovery")).entryList({QStringLiteral("*.calibench")}).size(), 0);
    }

    void restoresAfterAKill() {
        QProcess child;
        child.start(QCoreApplication::applicationFilePath(), {QStringLiteral("--child"), m_folder->path()});
        QVERIFY(child.waitForStarted());
        QTRY_VERIFY_WITH_TIMEOUT(QDir(file("recovery")).entryList({QStringLiteral("*.calibench")}).size() == 1, 20'000);
        TestWindow early(*m_folder);
        QTest::qWait(50);
        QVERIFY(!early->messages()->isVisible());  // its window is alive
        child.kill();
        QVERIFY(child.waitForFinished());
        TestWindow w(*m_folder);
        QTRY_VERIFY(w->messages()->isVisible());
        choose(w, QStringLiteral("Restore"));
        QTRY_VERIFY(w.editor()->toPlainText().contains(QStringLiteral("# typed before the kill")));
        QTRY_COMPARE(w->session().modelFolder(), file("tiny"));
    }

    void recentOnesAreGreyedAndForgotten() {
        m_folder->write("mine.calibench", "calibench: 1\nmodel: tiny\n");
        Settings(file("settings.ini")).addRecent(Settings::Recent::Models, file("tiny"));
        Settings(file("settings.ini")).addRecent(Settings::Recent::Models, file("moved-away"));
        Settings(file("settings.ini")).addRecent(Settings::Recent::Projects, file("mine.calibench"));
        TestWindow w(*m_folder);
        auto* list = w->findChild<RecentList*>();
        QCOMPARE(list->topLevelItemCount(), 3);
        const auto row = [list](int i) { return list->topLevelItem(i); };
        QCOMPARE(row(0)->text(0), QStringLiteral("mine"));
        QCOMPARE(row(1)->text(0), QStringLiteral("moved-away"));
        QCOMPARE(row(1)->foreground(0).color(), list->palette().color(QPalette::Disabled, QPalette::Text));
        QVERIFY(row(1)->toolTip(0).contains(QStringLiteral("no longer there")));
        list->setCurrentItem(row(1));
        QTest::keyClick(list, Qt::Key_Return);
        QCOMPARE(w->session().modelState(), Session::ModelState::None);
        QTest::keyClick(list, Qt::Key_Delete);
        QCOMPARE(list->topLevelItemCount(), 2);
        QCOMPARE(w.settings.recent(Settings::Recent::Models), QStringList{file("tiny")});
        QTest::mouseClick(list->viewport(), Qt::LeftButton, {}, list->visualItemRect(row(1)).topRight() - QPoint(6, -6));  // the cross
        QCOMPARE(list->topLevelItemCount(), 1);
        list->setCurrentItem(row(0));
        QTest::keyClick(list, Qt::Key_Return);
        QCOMPARE(w->project().file(), file("mine.calibench"));
    }

    void goesOnWithAnUnfinishedRun() {
        m_folder->write("mine.calibench", "calibench: 1\nmodel: tiny\ndatasets:\n  - file: text.txt\nrecipe:\n  text: \"test_stage: {}\\n\"\nruns:\n  - runs/1/run\n");
        QDir(m_folder->path()).mkpath(QStringLiteral("runs/1/run"));
        CoreServices core = fakeCore();
        core.readRun = [](const std::filesystem::path& folder) {
            const ModelSummary model = denseModel(2);
            return StoredRun{.config = {.output_dir = folder.parent_path() / "checkpoint", .run_dir = folder}, .events = {startOf(model, 3), BlockStarted{.block = 0}, BlockFinished{.block = 0, .best_loss_mse = 5e-5, .seconds = 1}}, .blocks_done = 1};
        };
        std::atomic<bool> resumed = false;
        core.runCalibration = [&resumed, run = core.runCalibration](const RunConfig& config, RunListener& listener, RunControl& control) {
            resumed = config.resume;
            return run(config, listener, control);
        };
        TestWindow w(m_folder->path(), core);
        w->openProject(file("mine.calibench"));
        QTRY_COMPARE(w->controller().state(), State::Stopped);
        QTRY_VERIFY2(w->messages()->text().contains(QStringLiteral("1 of 2 blocks")), qPrintable(w->messages()->text()));
        QVERIFY(w->actions().continueRun->isEnabled());
        QVERIFY(!w->isWindowModified());
        choose(w, QStringLiteral("Continue"));
        QTRY_COMPARE(w->controller().state(), State::Done);
        QVERIFY(resumed);
        QCOMPARE(w->project().runs(), QStringList{file("runs/1/run")});  // the same run, not another
        QVERIFY(!w->actions().continueRun->isEnabled());
    }

    void listsItsRunsWithoutBeingAsked() {
        TestWindow w(*m_folder);
        openAll(w, *m_folder);
        w->project().save(file("mine.calibench"));
        w->actions().run->trigger();
        QTRY_COMPARE(w->controller().state(), State::Done);
        QCOMPARE(w->project().runs().size(), 1);
        QVERIFY(!w->isWindowModified());
        QVERIFY2(m_folder->read("mine.calibench").contains("- \"runs/"), m_folder->read("mine.calibench"));
    }

private:
    [[nodiscard]] QString file(const char* name) const { return m_folder->file(name); }

    static void choose(TestWindow& w, const QString& text) {
        for (auto* button : w->messages()->findChildren<QToolButton*>())
            if (button->text() == text && button->isVisible()) return button->click();
        QFAIL(qPrintable(QStringLiteral("no button %1").arg(text)));
    }

    std::unique_ptr<WindowFolder> m_folder;
};

/// The window that is killed: opens, edits, and waits with its autosave at work.
static int liveUntilKilled(const QString& folder) {
    TestWindow w(folder, fakeCore());
    w.settings.setAutosaveSeconds(1);
    w->openModel(folder + QStringLiteral("/tiny"));
    w.editor()->replaceText(QStringLiteral("# typed before the kill\n"));
    return QApplication::exec();
}

int main(int argc, char** argv) {
    QApplication app(argc, argv);
    if (app.arguments().value(1) == QLatin1String("--child")) {
        installStyle();
        return liveUntilKilled(app.arguments().value(2));
    }
    TestProject test;
    return QTest::qExec(&test, argc, argv);
}

#include "tst_project.moc"
