#include <QAbstractItemView>
#include <QComboBox>
#include <QCompleter>
#include <QDir>
#include <QLabel>
#include <QLineEdit>
#include <QPushButton>
#include <QScrollArea>
#include <QSpinBox>
#include <QTemporaryDir>
#include <QTest>
#include <QTextBlock>
#include <QToolButton>

#include <algorithm>

#include "app/gui/core_services.h"
#include "tests/ui/fixtures.h"
#include "ui/english_plurals.h"
#include "ui/recipe/group_form.h"
#include "ui/recipe/problem_list.h"
#include "ui/recipe/recipe_completer.h"
#include "ui/recipe/recipe_editor.h"
#include "ui/recipe/recipe_form.h"
#include "ui/recipe/recipe_panel.h"
#include "ui/recipe/target_row.h"
#include "ui/session.h"
#include "ui/theme.h"

using namespace calibench;

/// The recipe of the demo model, edited in the form and in YAML through the real core.
class TestRecipeEditing : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void initTestCase() {
        installStyle();
        QCoreApplication::installTranslator(new EnglishPlurals(this));
    }

    void init() {
        test::failOnAnyWarning();
        m_folder = std::make_unique<QTemporaryDir>();
        m_settings = std::make_unique<Settings>(m_folder->filePath(QStringLiteral("settings.ini")));
        m_session = std::make_unique<Session>(coreServices());
        m_panel = std::make_unique<RecipePanel>(*m_session, *m_settings, QStringLiteral(CALIBENCH_RESOURCES));
        m_panel->setView(RecipePanel::View::Both);
        m_panel->resize(400, 900);
        m_panel->show();
        m_session->openModel(resource("demo/tiny-llama-shakespeare"));
        QCOMPARE(m_panel->open(resource("recipes/autoround_w4a16_g64.yaml")), QString());
        checked();
        QCOMPARE(m_session->modelState(), Session::ModelState::Ready);
        m_panel->editor()->document()->clearUndoRedoStacks();
        m_opened = text();
    }

    void cleanup() {
        m_panel.reset();
        m_session.reset();
    }

    void aFieldChangesItsOneValue() {
        auto* iters = field<QSpinBox>("Iterations");
        QCOMPARE(iters->value(), 200);
        m_panel->activateWindow();
        iters->setFocus();
        iters->selectAll();
        QTest::keyClicks(iters, QStringLiteral("125"));
        QCOMPARE(text(), QString(m_opened).replace(QStringLiteral("iters: 200"), QStringLiteral("iters: 125")));
        checked();
        QCOMPARE(iters->value(), 125);
        QVERIFY(iters->hasFocus());
        QTest::keyClicks(iters, QStringLiteral("0"));  // the cursor is still behind what was typed
        QCOMPARE(iters->value(), 1250);
        QTest::keyClick(iters, Qt::Key_Z, Qt::ControlModifier);
        QCOMPARE(text(), m_opened);
        QCOMPARE(iters->value(), 200);
    }

    void anUnsetFieldShowsItsDefaultAndCanBeUnsetAgain() {
        auto* ranges = field<QAbstractButton>("Tune ranges");
        QVERIFY(ranges->isChecked());
        QTest::mouseClick(ranges, Qt::LeftButton, {}, QPoint(8, ranges->height() / 2));
        QVERIFY2(text().contains(QStringLiteral("calibench:\n  enable_minmax_tuning: false")), qPrintable(text()));
        QVERIFY(text().startsWith(m_opened));
        auto* reset = field<QToolButton>("Tune ranges: use the default");
        QVERIFY(reset->isVisible());
        QTest::mouseClick(reset, Qt::LeftButton);
        QVERIFY2(!text().contains(QStringLiteral("enable_minmax_tuning")), qPrintable(text()));
        QVERIFY(ranges->isChecked() && !reset->isVisible());

        auto* rate = field<QLineEdit>("Learning rate");
        QVERIFY(rate->placeholderText().contains(QStringLiteral("0.005")));
        rate->setFocus();
        QTest::keyClicks(rate, QStringLiteral("1e-3"));
        QVERIFY2(text().contains(QStringLiteral("lr: 0.001")), qPrintable(text()));
        checked();
        QCOMPARE(rate->text(), QStringLiteral("1e-3"));
        rate->clear();
        QTest::keyClicks(rate, QStringLiteral("2"));
        QTest::keyClick(rate, Qt::Key_Backspace);
        QVERIFY(!text().contains(QStringLiteral("lr: ")));
    }

    void aBudgetChangesWhatItStandsForInOneStep() {
        auto* budget = field<QComboBox>("Budget");
        QCOMPARE(budget->currentText(), QStringLiteral("default"));
        choose("Budget", "light");
        checked();
        QVERIFY2(text().contains(QStringLiteral("iters: 50")) && text().contains(QStringLiteral("lr: 0.005")), qPrintable(text()));
        QCOMPARE(field<QSpinBox>("Iterations")->value(), 50);
        m_panel->editor()->undo();
        QCOMPARE(text(), m_opened);
        checked();
        field<QSpinBox>("Iterations")->setValue(60);
        checked();
        QCOMPARE(budget->currentText(), QStringLiteral("as below"));
    }

    void whatIsTypedInYamlShowsInTheForm() {
        RecipeEditor* editor = m_panel->editor();
        QTextCursor cursor = editor->document()->find(QStringLiteral("iters: 200"));
        editor->setTextCursor(cursor);
        QTest::keyClicks(editor, QStringLiteral("iters: 75"));
        QTRY_COMPARE(field<QSpinBox>("Iterations")->value(), 75);
        QVERIFY(field<QLineEdit>("Learning rate")->placeholderText().contains(QStringLiteral("0.0133")));
    }

    void undoAndRedoGoAcrossBoth() {
        RecipeEditor* editor = m_panel->editor();
        editor->moveCursor(QTextCursor::Start);
        QTest::keyClicks(editor, QStringLiteral("#"));
        const QString first = text();
        choose("Bits", "8");
        const QString second = text();
        QCOMPARE(second, QString(first).replace(QStringLiteral("num_bits: 4"), QStringLiteral("num_bits: 8")));
        m_panel->undoAction()->trigger();
        QCOMPARE(text(), first);
        QCOMPARE(field<QComboBox>("Bits")->currentText(), QStringLiteral("4"));
        editor->setFocus();
        QTest::keyClick(editor, Qt::Key_Z, Qt::ControlModifier);
        QCOMPARE(text(), m_opened);
        QVERIFY(!m_panel->undoAction()->isEnabled());
        m_panel->redoAction()->trigger();
        m_panel->redoAction()->trigger();
        QCOMPARE(text(), second);
        QCOMPARE(field<QComboBox>("Bits")->currentText(), QStringLiteral("8"));
        QVERIFY(!m_panel->redoAction()->isEnabled());
    }

    void aTargetSaysWhatItMatchesWhileItIsTyped() {
        auto* group = m_panel->findChild<GroupForm*>();
        auto* row = group->findChild<TargetRow*>();
        auto* edit = row->findChild<QLineEdit*>();
        auto* count = row->findChild<QLabel*>();
        QTRY_COMPARE(count->text(), QStringLiteral("29"));
        m_panel->activateWindow();
        edit->setFocus();
        edit->selectAll();
        QTest::keyClicks(edit, QStringLiteral("re:.*q_pro"));
        QTRY_COMPARE(count->text(), QStringLiteral("4"));
        QVERIFY(count->toolTip().contains(QStringLiteral("model.layers.0.self_attn.q_proj")));
        QTRY_COMPARE(m_session->highlightedModules().size(), 4);
        QVERIFY2(text().contains(QStringLiteral("re:.*q_pro")), qPrintable(text()));
        checked();
        QVERIFY(edit->hasFocus());
        QTest::keyClicks(edit, QStringLiteral("x"));
        QTRY_COMPARE(count->text(), QStringLiteral("0"));
        QCOMPARE(count->palette().color(QPalette::WindowText), warningColour(m_panel->palette()));
        const QString before = text();
        QTest::keyClicks(edit, QStringLiteral("("));
        QCOMPARE(count->text(), QStringLiteral("!"));
        QCOMPARE(text(), before);
        checked();
        QCOMPARE(edit->text(), QStringLiteral("re:.*q_prox("));
        field<QSpinBox>("Iterations")->setFocus();
        QTRY_VERIFY(m_session->highlightedModules().isEmpty());
        m_panel->undoAction()->trigger();
        QCOMPARE(text(), m_opened);
        QCOMPARE(edit->text(), QStringLiteral("Linear"));
    }

    void targetsAreAddedAndRemoved() {
        auto* add = field<QToolButton>("Add a class, a module's name or a pattern to: Ignored");
        QTest::mouseClick(add, Qt::LeftButton);
        auto* list = add->parentWidget();
        QTRY_COMPARE(list->findChildren<TargetRow*>().size(), 2);
        auto* edit = list->findChildren<TargetRow*>().back()->findChild<QLineEdit*>();
        QTest::keyClicks(edit, QStringLiteral("re:.*k_proj$"));
        checked();
        QVERIFY2(text().contains(QStringLiteral("ignore: [lm_head, 're:.*k_proj$']")), qPrintable(text()));
        QCOMPARE(m_session->schemes().size(), 24);
        QTest::mouseClick(list->findChildren<TargetRow*>().back()->findChild<QToolButton*>(), Qt::LeftButton);
        QCOMPARE(text(), m_opened);
        QTRY_COMPARE(list->findChildren<TargetRow*>().size(), 1);
    }

    void aGroupIsAddedAndRemoved() {
        const auto buttons = m_panel->findChildren<QToolButton*>();
        const auto add = std::find_if(buttons.begin(), buttons.end(), [](const QToolButton* button) { return button->text() == QStringLiteral("Add a group"); });
        QTest::mouseClick(*add, Qt::LeftButton);
        checked();
        QCOMPARE(m_session->errorCount(), 0);
        QCOMPARE(m_panel->findChildren<GroupForm*>().size(), 2);
        QVERIFY2(text().contains(QStringLiteral("re:.*down_proj$")), qPrintable(text()));
        QCOMPARE(m_session->schemes().value(QStringLiteral("model.layers.3.mlp.down_proj")), QStringLiteral("W8A16 channel sym"));
        const QString effect = field<QLabel>("What the recipe does to the model")->text();
        QVERIFY2(effect.startsWith(QStringLiteral("Quantizes 28 modules in 2 groups: ")), qPrintable(effect));
        QVERIFY2(effect.contains(QStringLiteral("(24)")) && effect.contains(QStringLiteral("(4)")) && effect.endsWith(QStringLiteral("; 1 left alone")), qPrintable(effect));
        QTest::mouseClick(field<QToolButton>("Remove the group group_1"), Qt::LeftButton);
        QCOMPARE(text(), m_opened);
        QTRY_COMPARE(m_panel->findChildren<GroupForm*>().size(), 1);
        QVERIFY(!field<QToolButton>("Remove the group group_0")->isEnabled());
    }

    void tabGoesFromTopToBottom() {
        m_panel->setView(RecipePanel::View::Form);
        m_panel->activateWindow();
        QWidget* content = m_panel->form()->findChild<QScrollArea*>()->widget();
        const auto bottom = [content](const QWidget* widget) { return widget->mapTo(content, QPoint(0, widget->height())).y(); };
        QWidget* from = field<QComboBox>("Scheme");
        from->setFocus();
        for (int step = 0; step < 10; ++step) {
            QTest::keyClick(from, Qt::Key_Tab);
            QWidget* next = m_panel->focusWidget();
            QVERIFY(next != from && content->isAncestorOf(next));
            QVERIFY2(bottom(next) > bottom(from) - from->height(), qPrintable(next->accessibleName()));  // beside it, or further down
            from = next;
        }
    }

    void aPresetIsChosenAndSpelledOut() {
        choose("Scheme", "W4A16");
        checked();
        QVERIFY2(text().contains(QStringLiteral("scheme: W4A16")) && !text().contains(QStringLiteral("config_groups")), qPrintable(text()));
        QVERIFY(text().contains(QStringLiteral("# The output layer stays as it is")));
        QCOMPARE(m_session->errorCount(), 0);
        QCOMPARE(m_panel->findChildren<GroupForm*>().size(), 0);
        choose("Scheme", "own groups");
        checked();
        QVERIFY2(text().contains(QStringLiteral("group_size: 128")) && !text().contains(QStringLiteral("scheme: W4A16")), qPrintable(text()));
        QCOMPARE(m_session->parsedRecipe()->modifiers.front().config_groups.size(), 1u);
        m_panel->undoAction()->trigger();
        m_panel->undoAction()->trigger();
        QCOMPARE(text(), m_opened);
    }

    void noChoiceLeavesARecipeThatCannotBeRead() {
        const QStringList scales{QStringLiteral("channel"), QStringLiteral("tensor"), QStringLiteral("group"), QStringLiteral("block"), QStringLiteral("tensor_group"), QStringLiteral("group")};
        for (const QString& scale : scales) {
            choose("Scale per", scale);
            checked();
            QVERIFY2(m_session->parsedRecipe().has_value(), qPrintable(scale + QLatin1Char('\n') + text()));
        }
        for (const char* type : {"float", "integer"}) {
            choose("Type", QString::fromLatin1(type));
            checked();
            QVERIFY2(m_session->parsedRecipe().has_value(), qPrintable(text()));
        }
        for (const char* mode : {"dynamic scales", "static scales", "dynamic scales", "as they are"}) {
            choose("Inputs", QString::fromLatin1(mode));
            checked();
            QVERIFY2(m_session->parsedRecipe().has_value(), qPrintable(text()));
        }
        choose("Keys, values", QStringLiteral("static scales"));
        checked();
        QVERIFY(m_session->parsedRecipe() && m_session->parsedRecipe()->modifiers.front().kv_cache_scheme);
        QVERIFY(text().contains(QStringLiteral("# Every Linear module.")));
    }

    void theMethodChanges() {
        choose("Method", QStringLiteral("Round to nearest"));
        checked();
        QVERIFY2(m_session->parsedRecipe().has_value(), qPrintable(text()));
        QCOMPARE(m_session->parsedRecipe()->modifiers.front().class_name, std::string("QuantizationModifier"));
        QVERIFY(!field<QSpinBox>("Iterations")->isVisible());
        QVERIFY(text().contains(QStringLiteral("# The output layer stays as it is")));
    }

    void completesKeysValuesAndTargets() {
        const auto at = [this](const char* before) { return completionsAt(QString::fromLatin1(before), *m_session); };
        const char* const stage = "default_stage:\n  default_modifiers:\n    AutoRoundModifier:\n";
        const std::string weights = std::string(stage) + "      config_groups:\n        group_0:\n          weights:\n            ";
        QCOMPARE(at("def").choices, QStringList({QStringLiteral("default_stage"), QStringLiteral("calibench")}));
        QVERIFY(at((std::string(stage) + "      it").c_str()).choices.contains(QStringLiteral("iters")));
        QCOMPARE(at((std::string(stage) + "      it").c_str()).word, QStringLiteral("it"));
        QVERIFY(at((std::string(stage) + "      scheme: W4").c_str()).choices.contains(QStringLiteral("W4A16")));
        QVERIFY(at((weights + "gr").c_str()).choices.contains(QStringLiteral("group_size")));
        QVERIFY(at((weights + "strategy: ch").c_str()).choices.contains(QStringLiteral("channel")));
        QVERIFY(at((weights + "observer: m").c_str()).choices.contains(QStringLiteral("mse")));
        QVERIFY(at((std::string(stage) + "      ignore: [lm_head, q").c_str()).choices.contains(QStringLiteral("'re:.*q_proj$'")));
        QVERIFY(at((std::string(stage) + "      ignore:\n      - q").c_str()).choices.contains(QStringLiteral("'re:.*q_proj$'")));
        QVERIFY(at("# a word").choices.isEmpty());

        RecipeEditor* editor = m_panel->editor();
        m_panel->activateWindow();
        editor->setFocus();
        editor->setTextCursor(editor->document()->find(QStringLiteral("strategy: group")));
        QTest::keyClicks(editor, QStringLiteral("strategy: chan"));
        auto* popup = editor->findChild<QCompleter*>()->popup();
        QVERIFY(popup->isVisible());
        QTest::keyClicks(popup, QStringLiteral("n"));  // on it goes with the list open
        QTest::keyClick(popup, Qt::Key_Return);
        QCOMPARE(editor->textCursor().block().text().trimmed(), QStringLiteral("strategy: channel"));
        QVERIFY(!popup->isVisible());
    }

    void anErrorHoldsTheFormAndLeadsToItsLine() {
        m_panel->setView(RecipePanel::View::Form);
        QString broken = m_opened;
        m_session->changeRecipe(broken.replace(QStringLiteral("iters: 200"), QStringLiteral("itres: 200")));
        checked();
        auto* form = m_panel->form();
        QVERIFY(!form->findChild<QScrollArea*>()->widget()->isEnabled());
        QCOMPARE(field<QSpinBox>("Iterations")->value(), 200);  // the last good state
        const int line = m_session->diagnostics().front().line;
        const auto buttons = form->findChildren<QPushButton*>();
        const auto go = std::find_if(buttons.begin(), buttons.end(), [line](const QPushButton* b) { return b->text() == QStringLiteral("Go to line %1").arg(line); });
        QVERIFY(go != buttons.end() && (*go)->isVisible());
        QTest::mouseClick(*go, Qt::LeftButton);
        QVERIFY(m_panel->editor()->isVisible());
        QCOMPARE(m_panel->editor()->textCursor().blockNumber() + 1, line);
        m_panel->undoAction()->trigger();
        QVERIFY(form->findChild<QScrollArea*>()->widget()->isEnabled());
    }

    void aFixIsMadeInOneStep() {
        QString wrong = m_opened;
        m_session->changeRecipe(wrong.replace(QStringLiteral("group_size: 64"), QStringLiteral("group_size: 96")));
        checked();
        QVERIFY(m_session->errorCount() > 0);
        auto* problems = m_panel->findChild<ProblemList*>();
        QVERIFY2(problems->count() >= 2, "the core offers no fix");
        QTest::mouseClick(problems->viewport(), Qt::LeftButton, {}, problems->visualItemRect(problems->item(1)).center());
        checked();
        QCOMPARE(m_session->errorCount(), 0);
        m_panel->undoAction()->trigger();
        QCOMPARE(text(), wrong);
    }

    void whatTheFormHasNoFieldForIsNamedAndLeftAlone() {
        QString more = m_opened;
        more.replace(QStringLiteral("iters: 200"), QStringLiteral("iters: 200\n      start: 0.5"));
        m_session->changeRecipe(more);
        checked();
        const auto buttons = m_panel->form()->findChildren<QPushButton*>();
        const auto note = std::find_if(buttons.begin(), buttons.end(), [](const QPushButton* b) { return b->text() == QStringLiteral("1 more key in YAML: start"); });
        QVERIFY(note != buttons.end());
        choose("Bits", QStringLiteral("8"));
        QVERIFY(text().contains(QStringLiteral("start: 0.5")));
    }

    void aFileKeepsItsLineEnds() {
        const QString file = m_folder->filePath(QStringLiteral("recipe.yaml"));
        QByteArray bytes = m_opened.trimmed().toUtf8().replace("\n", "\r\n");
        QFile written(file);
        QVERIFY(written.open(QIODevice::WriteOnly) && written.write(bytes) == bytes.size());
        written.close();
        QCOMPARE(m_panel->open(file), QString());
        checked();
        choose("Bits", QStringLiteral("8"));
        QCOMPARE(m_panel->saveTo(file), QString());
        QFile saved(file);
        QVERIFY(saved.open(QIODevice::ReadOnly));
        QCOMPARE(saved.readAll(), bytes.replace("num_bits: 4", "num_bits: 8"));
    }

    void anEmptyRecipeIsStarted() {
        m_session->changeRecipe(QString());
        const auto buttons = m_panel->form()->findChildren<QPushButton*>();
        const auto start = std::find_if(buttons.begin(), buttons.end(), [](const QPushButton* b) { return b->text() == QStringLiteral("Start with W4A16"); });
        QVERIFY((*start)->isVisible());
        QTest::mouseClick(*start, Qt::LeftButton);
        checked();
        QCOMPARE(m_session->errorCount(), 0);
        QCOMPARE(field<QComboBox>("Scheme")->currentText(), QStringLiteral("W4A16"));
    }

private:
    static QString resource(const char* path) { return QStringLiteral(CALIBENCH_RESOURCES "/") + QString::fromLatin1(path); }
    [[nodiscard]] QString text() const { return m_panel->editor()->text(); }

    void checked() const {
        QTRY_VERIFY_WITH_TIMEOUT(m_session->modelState() != Session::ModelState::Loading && !m_session->checkingRecipe(), 20'000);
    }

    /// The first of that name that can be seen, else one that cannot: of several groups, the first one's.
    template <typename T>
    T* field(const char* name) const {
        T* found = nullptr;
        for (T* widget : m_panel->findChildren<T*>())
            if (widget->accessibleName() == QString::fromLatin1(name) && (!found || (widget->isVisible() && !found->isVisible()))) found = widget;
        if (!found) qFatal("no field %s", name);
        return found;
    }

    void choose(const char* name, const QString& item) const {
        auto* box = field<QComboBox>(name);
        const int index = box->findText(item);
        QVERIFY2(index >= 0, qPrintable(item));
        box->setFocus();
        box->showPopup();
        box->view()->setCurrentIndex(box->model()->index(index, 0));
        QTest::keyClick(box->view(), Qt::Key_Return);
    }
    void choose(const char* name, const char* item) const { choose(name, QString::fromLatin1(item)); }

    std::unique_ptr<QTemporaryDir> m_folder;
    std::unique_ptr<Settings> m_settings;
    std::unique_ptr<Session> m_session;
    std::unique_ptr<RecipePanel> m_panel;
    QString m_opened;
};

QTEST_MAIN(TestRecipeEditing)
#include "tst_recipe_editing.moc"
