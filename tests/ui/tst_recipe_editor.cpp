#include <QLabel>
#include <QMenu>
#include <QPlainTextEdit>
#include <QSignalSpy>
#include <QTemporaryDir>
#include <QTextBlock>
#include <QTest>
#include <QToolButton>

#include "tests/ui/fake_core.h"
#include "ui/recipe/problem_list.h"
#include "ui/recipe/recipe_editor.h"
#include "ui/recipe/recipe_panel.h"
#include "ui/recipe/recipe_text.h"
#include "ui/session.h"
#include "ui/theme.h"

using namespace calibench;

/// The text half of the recipe's panel: what it leaves alone, what it undoes, and the fixes it offers.
class TestRecipeEditor : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void initTestCase() { installStyle(); }
    void init() { test::failOnAnyWarning(); }

    void replacesOnlyWhatDiffers() {
        RecipeEditor editor;
        editor.setPlainText(QStringLiteral("a: 1\nb: 2\nc: 3\n"));
        editor.document()->clearUndoRedoStacks();
        QTextCursor inC(editor.document()->findBlockByNumber(2));
        inC.movePosition(QTextCursor::EndOfBlock);
        editor.setTextCursor(inC);
        editor.replaceText(QStringLiteral("a: 1\nb: 22\nextra: 5\nc: 3\n"));
        QCOMPARE(editor.toPlainText(), QStringLiteral("a: 1\nb: 22\nextra: 5\nc: 3\n"));
        QCOMPARE(editor.textCursor().block().text(), QStringLiteral("c: 3"));
        QVERIFY(editor.textCursor().atBlockEnd());
        editor.undo();
        QCOMPARE(editor.toPlainText(), QStringLiteral("a: 1\nb: 2\nc: 3\n"));
        QVERIFY(!editor.document()->isUndoAvailable());
        editor.redo();
        QCOMPARE(editor.toPlainText(), QStringLiteral("a: 1\nb: 22\nextra: 5\nc: 3\n"));
    }

    void doesNotCutACharacterInTwo() {
        RecipeEditor editor;
        editor.setPlainText(QStringLiteral("# \U0001F600 x"));
        editor.replaceText(QStringLiteral("# \U0001F601 x"));  // the two share their first half
        QCOMPARE(editor.text(), QStringLiteral("# \U0001F601 x"));
        editor.undo();
        QCOMPARE(editor.text(), QStringLiteral("# \U0001F600 x"));
    }

    void joinsWhatIsTypedInOnePlace() {
        RecipeEditor editor;
        editor.setPlainText(QStringLiteral("a: 1\nb: 1\n"));
        editor.document()->clearUndoRedoStacks();
        editor.replaceText(QStringLiteral("a: 12\nb: 1\n"), QStringLiteral("a"));
        editor.replaceText(QStringLiteral("a: 123\nb: 1\n"), QStringLiteral("a"));
        editor.replaceText(QStringLiteral("a: 123\nb: 12\n"), QStringLiteral("b"));
        editor.undo();
        QCOMPARE(editor.toPlainText(), QStringLiteral("a: 123\nb: 1\n"));
        editor.undo();
        QCOMPARE(editor.toPlainText(), QStringLiteral("a: 1\nb: 1\n"));
        editor.redo();
        editor.replaceText(QStringLiteral("a: 1234\nb: 1\n"), QStringLiteral("a"));  // something happened in between
        editor.undo();
        QCOMPARE(editor.toPlainText(), QStringLiteral("a: 123\nb: 1\n"));
    }

    void savesWhatItOpened_data() {
        QTest::addColumn<QByteArray>("bytes");
        QTest::newRow("line feeds") << QByteArray("a: 1\nb: 2\n");
        QTest::newRow("carriage returns and line feeds") << QByteArray("a: 1\r\nb: 2\r\n");
        QTest::newRow("no final line end") << QByteArray("a: 1\r\nb: 2");
        QTest::newRow("both kinds") << QByteArray("a: 1\r\nb: 2\nc: 3\r\n\nd: 4");
        QTest::newRow("carriage returns") << QByteArray("a: 1\rb: 2\r");
        QTest::newRow("byte order mark") << QByteArray("\xEF\xBB\xBF" "a: 1\n");
        QTest::newRow("no-break space and line separator") << QByteArray("# a\xC2\xA0" "b \xE2\x80\xA8 c \xE2\x80\xA9 d\n");
        QTest::newRow("tabs and trailing space") << QByteArray("a: 1 \t\n\n\n");
        QTest::newRow("empty") << QByteArray();
    }

    void savesWhatItOpened() {
        QFETCH(QByteArray, bytes);
        Panel p(m_folder);
        const QString file = p.write("recipe.yaml", bytes);
        QCOMPARE(p.panel.open(file), QString());
        QCOMPARE(p.panel.saveTo(file), QString());
        QCOMPARE(p.read(file), bytes);
    }

    void keepsTheLineEndsOfWhatIsNotTouched() {
        Panel p(m_folder);
        const QString file = p.write("recipe.yaml", "a: 1\r\nb: 2\nc: 3\r\nd: 4");
        QCOMPARE(p.panel.open(file), QString());
        RecipeEditor* editor = p.panel.editor();
        editor->goToLine(3);
        QTest::keyClicks(editor, QStringLiteral("new: 0"));
        QTest::keyClick(editor, Qt::Key_Return);
        QCOMPARE(p.panel.saveTo(file), QString());
        QCOMPARE(p.read(file), QByteArray("a: 1\r\nb: 2\nnew: 0\r\nc: 3\r\nd: 4"));
        editor->undo();
        while (editor->text().contains(QStringLiteral("n"))) editor->undo();
        QCOMPARE(p.panel.saveTo(file), QString());
        QCOMPARE(p.read(file), QByteArray("a: 1\r\nb: 2\nc: 3\r\nd: 4"));
    }

    void refusesWhatIsNoText() {
        Panel p(m_folder);
        const QString file = p.write("recipe.yaml", "a: \xFF\xFE\n");
        QVERIFY(p.panel.open(file).contains(QStringLiteral("UTF-8")));
    }

    void offersFixesByKeyboardMouseAndList() {
        Panel p(m_folder);
        p.panel.setView(RecipePanel::View::Both);
        RecipeEditor* editor = p.panel.editor();
        const QString wrong = QStringLiteral("ü: 1\ngroup_size: 100\n"), right = QStringLiteral("ü: 1\ngroup_size: 64\n");
        p.session.changeRecipe(wrong);
        QTRY_COMPARE(editor->fixesOfLine(2).size(), 1u);
        QVERIFY(editor->fixesOfLine(1).empty());

        editor->goToLine(2);
        QTest::keyClick(editor, Qt::Key_Period, Qt::ControlModifier);
        takeFirst(editor);
        QCOMPARE(editor->text(), right);
        QVERIFY(editor->fixesOfLine(2).empty());  // they are about another text now
        editor->undo();
        QCOMPARE(editor->text(), wrong);

        QTRY_COMPARE(editor->fixesOfLine(2).size(), 1u);
        editor->goToLine(2);
        QTest::keyClick(editor, Qt::Key_Return, Qt::AltModifier);
        takeFirst(editor);
        QCOMPARE(editor->text(), right);
        editor->undo();

        QTRY_COMPARE(editor->fixesOfLine(2).size(), 1u);
        auto* gutter = editor->findChild<QWidget*>(QStringLiteral("gutter"));
        QVERIFY(gutter);
        editor->goToLine(2);
        QTest::mousePress(gutter, Qt::LeftButton, {}, QPoint(6, editor->cursorRect().center().y()));
        takeFirst(editor);
        QCOMPARE(editor->text(), right);
        editor->undo();

        auto* problems = p.panel.findChild<ProblemList*>();
        QTRY_COMPARE(problems->count(), 2);
        QTRY_VERIFY(problems->item(1)->flags() & Qt::ItemIsEnabled);
        QCOMPARE(problems->item(1)->text(), QStringLiteral("Use group_size 64"));
        QTest::mouseClick(problems->viewport(), Qt::LeftButton, {}, problems->visualItemRect(problems->item(1)).center());
        QCOMPARE(editor->text(), right);
        QTRY_COMPARE(problems->count(), 0);
        p.panel.undoAction()->trigger();
        QCOMPARE(editor->text(), wrong);
    }

    void countsNotesApartFromProblems() {
        Panel p(m_folder);
        const auto said = [&p] {
            for (const QLabel* label : p.panel.findChildren<QLabel*>())
                if (label->accessibleName() == QLatin1String("Problems of the recipe")) return label->text();
            return QString();
        };
        p.session.changeRecipe(QStringLiteral("note: 1\n"));
        QTRY_COMPARE(said(), QStringLiteral("No problems, 1 note(s)"));
        p.session.changeRecipe(QStringLiteral("note: 1\ngroup_size: 100\n"));
        QTRY_COMPARE(said(), QStringLiteral("1 problem(s), 1 note(s)"));
        p.session.changeRecipe(QStringLiteral("a: 1\n"));
        QTRY_COMPARE(said(), QStringLiteral("No problems"));
    }

    void remembersItsView() {
        Panel p(m_folder);
        QCOMPARE(p.panel.view(), RecipePanel::View::Form);
        QVERIFY(p.panel.editor()->isHidden());
        const auto buttons = p.panel.findChildren<QToolButton*>();
        const auto both = std::find_if(buttons.begin(), buttons.end(), [](const QToolButton* button) { return button->text() == QStringLiteral("Both"); });
        QTest::mouseClick(*both, Qt::LeftButton);
        QVERIFY(p.panel.editor()->isVisible());
        RecipePanel second(p.session, p.settings, {});
        QCOMPARE(second.view(), RecipePanel::View::Both);
    }

private:
    /// A panel over a core that knows one mistake, group_size 100.
    struct Panel {
        explicit Panel(QTemporaryDir& folder)
            : folder(folder), settings(freshFile(folder)), session(services()), panel(session, settings, {}) {
            panel.resize(400, 700);
            panel.show();
        }
        static QString freshFile(const QTemporaryDir& folder) {
            const QString file = folder.filePath(QStringLiteral("settings.ini"));
            QFile::remove(file);
            return file;
        }
        static CoreServices services() {
            CoreServices services = test::fakeCore();
            services.parseRecipe = [](const std::string& text) {
                ParsedRecipe parsed;
                if (const size_t at = text.find("100"); at != std::string::npos)
                    parsed.diagnostics.push_back({.message = "group_size 100 does not divide 576 columns", .line = 2, .column = 1, .fixes = {{"Use group_size 64", at, 3, "64"}}});
                if (text.starts_with("note")) parsed.diagnostics.push_back({.severity = Diagnostic::Severity::Note, .message = "a module goes to the later group", .line = 1, .column = 1});
                return parsed;
            };
            return services;
        }
        QString write(const char* name, const QByteArray& bytes) const {
            QFile file(folder.filePath(QString::fromLatin1(name)));
            if (file.open(QIODevice::WriteOnly)) file.write(bytes);
            return file.fileName();
        }
        static QByteArray read(const QString& name) {
            QFile file(name);
            return file.open(QIODevice::ReadOnly) ? file.readAll() : QByteArray("unreadable");
        }

        QTemporaryDir& folder;
        Settings settings;
        Session session;
        RecipePanel panel;
    };

    static void takeFirst(RecipeEditor* editor) {
        auto* menu = editor->findChild<QMenu*>();
        QVERIFY(menu && menu->isVisible());
        QVERIFY(menu->activeAction());
        QCOMPARE(menu->activeAction()->text(), QStringLiteral("Use group_size 64"));
        QTest::keyClick(menu, Qt::Key_Return);
        QTRY_VERIFY(!editor->findChild<QMenu*>());
    }

    QTemporaryDir m_folder;
};

QTEST_MAIN(TestRecipeEditor)
#include "tst_recipe_editor.moc"
