#include <QAbstractItemView>
#include <QApplication>
#include <QDockWidget>
#include <QDropEvent>
#include <QListWidget>
#include <QMessageBox>
#include <QMimeData>
#include <QPushButton>
#include <QSettings>
#include <QSignalSpy>
#include <QTemporaryDir>
#include <QTest>
#include <QTreeView>

#include "tests/ui/fake_core.h"
#include "ui/actions.h"
#include "ui/english_plurals.h"
#include "ui/main_window.h"
#include "ui/models/model_tree_model.h"
#include "ui/panels/message_bar.h"
#include "ui/panels/progress_line.h"
#include "ui/panels/state_page.h"
#include "ui/plots/plot.h"
#include "ui/recipe/recipe_editor.h"
#include "ui/recipe/recipe_panel.h"
#include "ui/theme.h"

using namespace calibench;
using State = RunController::State;

class TestMainWindow : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void initTestCase() {
        installStyle();
        QCoreApplication::installTranslator(new EnglishPlurals(this));
    }

    void init() {
        test::failOnAnyWarning();
        m_folder = std::make_unique<QTemporaryDir>();
        QDir(m_folder->path()).mkpath(QStringLiteral("tiny"));
        write(QStringLiteral("tiny/config.json"), "{}");
        write(QStringLiteral("text.txt"), "to be or not to be");
        write(QStringLiteral("recipe.yaml"), "test_stage:\n  quant_modifiers: {}\n");
        write(QStringLiteral("notes.doc"), "?");
        QSettings(file("settings.ini"), QSettings::IniFormat).setValue(QStringLiteral("run/workspace"), file("runs"));
    }

    void opensWhatIsDroppedAndNamesWhatIsNot() {
        Window w(*this);
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
        Window w(*this);
        w->openModel(file("broken"));
        QTRY_COMPARE(w->session().modelState(), Session::ModelState::Failed);
        QVERIFY(w->messages()->text().contains(QStringLiteral("no architectures")));
        QVERIFY(!w->actions().run->isEnabled());
        w->openModel(file("tiny"));
        QTRY_COMPARE(w->session().modelState(), Session::ModelState::Ready);
        QVERIFY(!w->messages()->isVisible());
    }

    void underlinesAnErrorWhereItIs() {
        Window w(*this);
        openAll(*w.window);
        RecipeEditor* editor = w->recipePanel()->editor();
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
        Window w(*this);
        openAll(*w.window);
        w->recipePanel()->editor()->appendPlainText(QStringLiteral("# by hand"));
        QVERIFY(w->recipePanel()->modified());
        w->actions().saveRecipe->trigger();
        QVERIFY(!w->recipePanel()->modified());
        QFile saved(file("recipe.yaml"));
        QVERIFY(saved.open(QIODevice::ReadOnly));
        QVERIFY(saved.readAll().contains("# by hand"));
    }

    void savesTheOlderSpellingInTheFormThatIsRead() {
        Window w(*this);
        openAll(*w.window);
        RecipeEditor* editor = w->recipePanel()->editor();
        editor->setPlainText(QStringLiteral("modifiers: {}\n"));
        QTRY_VERIFY(!w->session().checkingRecipe());
        QCOMPARE(editor->extraSelections().size(), 1);
        w->actions().saveRecipe->trigger();
        QFile saved(file("recipe.yaml"));
        QVERIFY(saved.open(QIODevice::ReadOnly));
        QCOMPARE(saved.readAll(), QByteArray("test_stage: {}\n"));
        QVERIFY(w->messages()->text().contains(QStringLiteral("llm-compressor")));
    }

    void runsToTheEnd() {
        Window w(*this);
        openAll(*w.window);
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
        Window w(*this, true);
        openAll(*w.window);
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
        Window w(*this, true);
        openAll(*w.window);
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
        Window w(*this);
        openAll(*w.window);
        w->recipePanel()->editor()->appendPlainText(QStringLiteral("# not saved"));
        w->close();
        QVERIFY(w->isVisible());
        auto* question = w->findChild<QMessageBox*>();
        QVERIFY(question);
        question->button(QMessageBox::Discard)->click();
        QTRY_VERIFY(!w->isVisible());
    }

    void oneSelectionForAll() {
        Window w(*this);
        openAll(*w.window);
        const QString module = QStringLiteral("model.layers.1.mlp.down_proj");
        w->session().selectModule(module);
        const auto* tree = w->findChild<QTreeView*>();
        QCOMPARE(tree->currentIndex().data(ModelTreeModel::ModuleRole).toString(), module);
        tree->selectionModel()->setCurrentIndex(tree->model()->index(0, 0), QItemSelectionModel::ClearAndSelect);
        QCOMPARE(w->session().selectedModule(), QStringLiteral("model.embed_tokens"));
    }

    void remembersLayoutAndTheme() {
        {
            Window w(*this);
            w->actions().themes[2]->trigger();
            QVERIFY(isDark(QApplication::palette()));
            w->findChild<QDockWidget*>(QStringLiteral("log"))->hide();
            w->close();
        }
        {
            Window w(*this);
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
    struct Window {
        explicit Window(TestMainWindow& test, bool endless = false)
            : settings(test.file("settings.ini")), window(std::make_unique<MainWindow>(test::fakeCore(endless), settings, test.m_folder->path())) {
            window->show();
        }
        MainWindow* operator->() const { return window.get(); }
        Settings settings;
        std::unique_ptr<MainWindow> window;
    };

    QString file(const char* name) const { return m_folder->filePath(QString::fromLatin1(name)); }
    static QString toPathText(const std::filesystem::path& path) { return QString::fromStdString(path.string()); }
    void write(const QString& name, const QByteArray& bytes) const {
        QFile out(m_folder->filePath(name));
        QVERIFY(out.open(QIODevice::WriteOnly));
        out.write(bytes);
    }

    void openAll(MainWindow& window) const {
        window.openModel(file("tiny"));
        window.openData(file("text.txt"));
        window.openRecipe(file("recipe.yaml"));
        QTRY_VERIFY2(window.session().obstacle().isEmpty(), qPrintable(window.session().obstacle()));
    }

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

    std::unique_ptr<QTemporaryDir> m_folder;
};

QTEST_MAIN(TestMainWindow)
#include "tst_main_window.moc"
