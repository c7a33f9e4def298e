#include <QAbstractItemView>
#include <QApplication>
#include <QDockWidget>
#include <QDropEvent>
#include <QListWidget>
#include <QMessageBox>
#include <QMimeData>
#include <QPushButton>
#include <QSignalSpy>
#include <QTest>
#include <QTreeView>

#include "tests/ui/window_fixture.h"
#include "ui/actions.h"
#include "ui/english_plurals.h"
#include "ui/models/model_tree_model.h"
#include "ui/panels/message_bar.h"
#include "ui/panels/progress_line.h"
#include "ui/panels/state_page.h"
#include "ui/plots/plot.h"
#include "ui/theme.h"

using namespace calibench;
using namespace calibench::test;
using State = RunController::State;

class TestMainWindow : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void initTestCase() {
        installStyle();
        QCoreApplication::installTranslator(new EnglishPlurals(this));
    }

    void init() {
        failOnAnyWarning();
        m_folder = std::make_unique<WindowFolder>();
        m_folder->write("notes.doc", "?");
    }

    void opensWhatIsDroppedAndNamesWhatIsNot() {
        TestWindow w(*m_folder);
        QVERIFY(!w->actions().run->isEnabled());
        QVERIFY(w->actions().run->toolTip().contains(QStringLiteral("Open a model first")));
        drop(*w.window, {file("tiny"), file("text.txt"), file("recipe.yaml"), file("notes.doc")});
        QTRY_COMPARE(w->session().modelState(), Session::ModelState::Ready);
        QVERIFY2(w->messages()->isVisible() && w->messages()->text().contains(QStringLiteral("notes.doc")), qPrintable(w->messages()->text()));
        QCOMPARE(w->session().data().file, file("text.txt"));
        QTRY_VERIFY2(w->actions().run->isEnabled(), qPrintable(w->session().obstacle()));
        QCOMPARE(w->session().schemes().size(), 6);
        QCOMPARE(w.settings.recent(Settings::Recent::Models).value(0), file("tiny"));
        QCOMPARE(w.settings.recent(Settings::Recent::Recipes).value(0), file("recipe.yaml"));
    }

    void saysWhyAModelDoesNotOpen() {
        TestWindow w(*m_folder);
        w->openModel(file("broken"));
        QTRY_COMPARE(w->session().modelState(), Session::ModelState::Failed);
        QVERIFY(w->messages()->text().contains(QStringLiteral("no architectures")));
        QVERIFY(!w->actions().run->isEnabled());
        w->openModel(file("tiny"));
        QTRY_COMPARE(w->session().modelState(), Session::ModelState::Ready);
        QVERIFY(!w->messages()->isVisible());
    }

    void underlinesAnErrorWhereItIs() {
        TestWindow w(*m_folder);
        openAll(w, *m_folder);
        RecipeEditor* editor = w.editor();
        editor->moveCursor(QTextCursor::End);
        QTest::keyClicks(editor, QStringLiteral("  oops: 1"));
        QTRY_COMPARE(w->session().errorCount(), 1);
        QCOMPARE(editor->problemsOfLine(3), QStringLiteral("unknown key oops"));
        QCOMPARE(editor->extraSelections().size(), 1);
        QCOMPARE(editor->extraSelections().at(0).cursor.selectedText(), QStringLiteral("oops: 1"));
        QCOMPARE(w->recipePanel()->findChild<QListWidget*>()->count(), 1);
        QVERIFY(!w->actions().run->isEnabled());
        QVERIFY(w->actions().run->toolTip().contains(QStringLiteral("error")));
        editor->undo();
        while (editor->toPlainText().contains(QStringLiteral("oops"))) editor->undo();
        QTRY_VERIFY(w->actions().run->isEnabled());
        QCOMPARE(editor->extraSelections().size(), 0);
    }

    void savesTheRecipe() {
        TestWindow w(*m_folder);
        openAll(w, *m_folder);
        w.editor()->appendPlainText(QStringLiteral("# by hand"));
        QVERIFY(w->recipePanel()->modified());
        w->actions().saveRecipe->trigger();
        QVERIFY(!w->recipePanel()->modified());
        QVERIFY(m_folder->read("recipe.yaml").contains("# by hand"));
    }

    void savesTheOlderSpellingInTheFormThatIsRead() {
        TestWindow w(*m_folder);
        openAll(w, *m_folder);
        RecipeEditor* editor = w.editor();
        editor->setPlainText(QStringLiteral("modifiers: {}\n"));
        QTRY_VERIFY(!w->session().checkingRecipe());
        QCOMPARE(editor->extraSelections().size(), 1);
        w->actions().saveRecipe->trigger();
        QCOMPARE(m_folder->read("recipe.yaml"), QByteArray("test_stage: {}\n"));
        QVERIFY(w->messages()->text().contains(QStringLiteral("llm-compressor")));
    }

    void runsToTheEnd() {
        TestWindow w(*m_folder);
        openAll(w, *m_folder);
        QSignalSpy finished(&w->controller(), &RunController::runFinished);
        w->actions().run->trigger();
        QVERIFY(!w->actions().run->isEnabled());
        QTRY_COMPARE(finished.count(), 1);
        QVERIFY2(w->messages()->text().contains(QStringLiteral("Finished in 0:02: 6 modules")), qPrintable(w->messages()->text()));
        QVERIFY(w->messages()->text().contains(QStringLiteral("-50.0 %")));
        QVERIFY(w->actions().exportCheckpoint->isEnabled());
        QVERIFY(w->actions().run->isEnabled());
        const auto* tree = w->findChild<QTreeView*>();
        const QModelIndex block = tree->model()->index(1, ModelTreeModel::StateColumn);
        QVERIFY2(block.data().toString().startsWith(QStringLiteral("done")), qPrintable(block.data().toString()));
        QVERIFY(toPathText(w->controller().config().output_dir).startsWith(file("runs")));
    }

    void stopsOnEscape() {
        TestWindow w(*m_folder, true);
        openAll(w, *m_folder);
        w->actions().run->trigger();
        QTRY_COMPARE(w->controller().state(), State::Running);
        QTRY_COMPARE(w->findChild<ProgressLine*>()->stageText(), QStringLiteral("Tuning, block 1 of 2"));
        QVERIFY(!w->actions().openModel->isEnabled());
        w->actions().pause->trigger();
        QCOMPARE(w->controller().state(), State::Paused);
        QVERIFY(w->findChild<ProgressLine*>()->stageText().startsWith(QStringLiteral("Paused")));
        w->actions().pause->trigger();
        QCOMPARE(w->controller().state(), State::Running);
        w->actions().stop->trigger();
        QTRY_COMPARE(w->controller().state(), State::Stopped);
        QVERIFY(w->messages()->text().startsWith(QStringLiteral("Stopped")));
        QVERIFY(!w->actions().exportCheckpoint->isEnabled());
        QVERIFY(w->actions().run->isEnabled());
    }

    void asksBeforeClosingDuringARun() {
        TestWindow w(*m_folder, true);
        openAll(w, *m_folder);
        w->actions().run->trigger();
        QTRY_COMPARE(w->controller().state(), State::Running);
        w->close();
        QVERIFY(w->isVisible());
        auto* question = w->findChild<QMessageBox*>();
        QVERIFY(question);
        answer(question, QMessageBox::RejectRole);
        QVERIFY(w->isVisible());
        QCOMPARE(w->controller().state(), State::Running);

        QTRY_VERIFY(!w->findChild<QMessageBox*>());
        w->close();
        answer(w->findChild<QMessageBox*>(), QMessageBox::AcceptRole);
        QTRY_VERIFY(!w->isVisible());
        QCOMPARE(w->controller().state(), State::Stopped);
    }

    void asksBeforeLosingTheRecipe() {
        TestWindow w(*m_folder);
        openAll(w, *m_folder);
        w.editor()->appendPlainText(QStringLiteral("# not saved"));
        w->close();
        QVERIFY(w->isVisible());
        auto* question = w->findChild<QMessageBox*>();
        QVERIFY(question);
        question->button(QMessageBox::Discard)->click();
        QTRY_VERIFY(!w->isVisible());
    }

    void oneSelectionForAll() {
        TestWindow w(*m_folder);
        openAll(w, *m_folder);
        const QString module = QStringLiteral("model.layers.1.mlp.down_proj");
        w->session().selectModule(module);
        const auto* tree = w->findChild<QTreeView*>();
        QCOMPARE(tree->currentIndex().data(ModelTreeModel::ModuleRole).toString(), module);
        tree->selectionModel()->setCurrentIndex(tree->model()->index(0, 0), QItemSelectionModel::ClearAndSelect);
        QCOMPARE(w->session().selectedModule(), QStringLiteral("model.embed_tokens"));
    }

    void remembersLayoutAndTheme() {
        {
            TestWindow w(*m_folder);
            w->actions().themes[2]->trigger();
            QVERIFY(isDark(QApplication::palette()));
            w->findChild<QDockWidget*>(QStringLiteral("log"))->hide();
            w->close();
        }
        {
            TestWindow w(*m_folder);
            QCOMPARE(w.settings.theme(), Theme::Dark);
            QVERIFY(!w->findChild<QDockWidget*>(QStringLiteral("log"))->isVisible());
            w->actions().restoreLayout->trigger();
            QVERIFY(w->findChild<QDockWidget*>(QStringLiteral("log"))->isVisible());
            w->actions().themes[1]->trigger();
            QVERIFY(!isDark(QApplication::palette()));
        }
        QSettings(file("settings.ini"), QSettings::IniFormat).setValue(QStringLiteral("window/version"), 0);
        QVERIFY(Settings(file("settings.ini")).windowState().isEmpty());  // another version's layout is left alone
    }

private:
    QString file(const char* name) const { return m_folder->file(name); }
    static QString toPathText(const std::filesystem::path& path) { return QString::fromStdString(path.string()); }

    static void drop(MainWindow& window, const QStringList& files) {
        QMimeData mime;
        QList<QUrl> urls;
        for (const QString& name : files) urls << QUrl::fromLocalFile(name);
        mime.setUrls(urls);
        QDragEnterEvent enter({20, 20}, Qt::CopyAction, &mime, Qt::LeftButton, Qt::NoModifier);
        QCoreApplication::sendEvent(&window, &enter);
        QVERIFY(enter.isAccepted());
        QDropEvent drop(QPointF(20, 20), Qt::CopyAction, &mime, Qt::LeftButton, Qt::NoModifier);
        QCoreApplication::sendEvent(&window, &drop);
    }

    static void answer(QMessageBox* question, QMessageBox::ButtonRole role) {
        QVERIFY(question);
        for (QAbstractButton* button : question->buttons())
            if (question->buttonRole(button) == role) return button->click();
        QFAIL("no such button");
    }

    std::unique_ptr<WindowFolder> m_folder;
};

QTEST_MAIN(TestMainWindow)
#include "tst_main_window.moc"
