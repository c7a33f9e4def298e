#include <QAbstractButton>
#include <QAbstractItemModelTester>
#include <QApplication>
#include <QComboBox>
#include <QCommandLinkButton>
#include <QDialogButtonBox>
#include <QDockWidget>
#include <QLabel>
#include <QLineEdit>
#include <QListView>
#include <QMenu>
#include <QMenuBar>
#include <QPushButton>
#include <QSignalSpy>
#include <QSpinBox>
#include <QTest>
#include <QToolButton>

#include "tests/ui/window_fixture.h"
#include "ui/actions.h"
#include "ui/dialogs/settings_dialog.h"
#include "ui/english_plurals.h"
#include "ui/palette/command_palette.h"
#include "ui/palette/fuzzy_match.h"
#include "ui/palette/palette_model.h"
#include "ui/panels/message_bar.h"
#include "ui/panels/plots_page.h"
#include "ui/run_notifier.h"
#include "ui/theme.h"

using namespace calibench;
using namespace calibench::test;
using State = RunController::State;

/// What one expects of any good window: settings, a palette, notifications, a layout that comes back, names for everything.
class TestHabits : public QObject {
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

    void settingsHoldAtOnceAndReachTheRun() {
        TestWindow w(*m_folder);
        openAll(w, *m_folder);
        w->actions().settings->trigger();
        auto* dialog = w->findChild<SettingsDialog*>();
        QVERIFY(dialog && dialog->isVisible());
        field<QSpinBox>(dialog, "Threads")->setValue(3);
        field<QComboBox>(dialog, "Device")->setCurrentText(QStringLiteral("cuda:1"));
        field<QComboBox>(dialog, "Number type")->setCurrentText(QStringLiteral("bfloat16"));
        auto* runs = field<QLineEdit>(dialog, "Runs");
        runs->setText(m_folder->file("elsewhere"));
        QTest::keyClick(runs, Qt::Key_Return);
        QTRY_VERIFY(anyLabel(dialog, QStringLiteral("free on this disk")));
        field<QSpinBox>(dialog, "Autosave every")->setValue(11);
        field<QComboBox>(dialog, "Theme")->setCurrentIndex(2);
        QVERIFY(isDark(QApplication::palette()));
        QVERIFY(w->actions().themes[2]->isChecked());
        QCOMPARE(w.settings.autosaveSeconds(), 11);

        w->actions().run->trigger();
        QTRY_COMPARE(w->controller().state(), State::Done);
        const RunConfig& config = w->controller().config();
        QCOMPARE(config.threads, 3);
        QCOMPARE(config.device, std::string("cuda:1"));
        QCOMPARE(config.dtype, std::string("bfloat16"));
        QVERIFY(QString::fromStdString(config.run_dir.string()).startsWith(m_folder->file("elsewhere")));

        runs->setText(QStringLiteral("relative"));
        QTest::keyClick(runs, Qt::Key_Return);
        QCOMPARE(w.settings.workspace(), m_folder->file("elsewhere"));

        dialog->findChild<QDialogButtonBox*>()->button(QDialogButtonBox::RestoreDefaults)->click();
        QCOMPARE(w.settings.runOptions(), RunOptions());
        QCOMPARE(w.settings.theme(), Theme::System);
        QCOMPARE(field<QSpinBox>(dialog, "Threads")->value(), 0);
        QCOMPARE(field<QSpinBox>(dialog, "Autosave every")->value(), Settings(m_folder->file("none.ini")).autosaveSeconds());
    }

    void leavesTheWindowACoreWhereThereAreMany() {
        QCOMPARE(threadsFor({.threads = 3}, 64), 3);
        QCOMPARE(threadsFor({}, 64), 63);
        QCOMPARE(threadsFor({}, 2), 2);
        QCOMPARE(threadsFor({}, 0), 1);
    }

    void findsByAFewLetters_data() {
        QTest::addColumn<QString>("pattern");
        QTest::addColumn<QString>("better");
        QTest::addColumn<QString>("worse");
        QTest::newRow("word starts") << "op" << "File: Open project" << "View: Log on top";
        QTest::newRow("whole word") << "run" << "Run: Run" << "Restore unfinished notes";
        QTest::newRow("run of letters") << "mlpup" << "model.layers.3.mlp.up_proj" << "model.layers.3.mlp.gate_up_proj";
        QTest::newRow("number") << "layers.3" << "model.layers.3.mlp" << "model.layers.13.mlp";
        QTest::newRow("short") << "dark" << "Dark" << "Dark theme of the window";
    }
    void findsByAFewLetters() {
        QFETCH(QString, pattern);
        QFETCH(QString, better);
        QFETCH(QString, worse);
        QVERIFY(fuzzyScore(pattern, better));
        QVERIFY(fuzzyScore(pattern, better).value() > fuzzyScore(pattern, worse).value_or(-1'000'000));
        QVERIFY(!fuzzyScore(QStringLiteral("xyz"), better));
        QVERIFY(fuzzyScore(QString(), better));
        QVERIFY(!fuzzyScore(pattern + QStringLiteral("§"), better));
        QVERIFY(!fuzzyScore(pattern, QString()));
        QCOMPARE(fuzzyScore(pattern.toUpper(), better), fuzzyScore(pattern, better));
    }

    void thePaletteRunsCommandsAndFindsModules() {
        TestWindow w(*m_folder);
        openAll(w, *m_folder);
        w->findChild<QDockWidget*>(QStringLiteral("log"))->hide();
        auto [edit, list] = openPalette(w);
        QAbstractItemModelTester tester(list->model(), QAbstractItemModelTester::FailureReportingMode::QtTest);
        QTest::keyClicks(edit, QStringLiteral("restore layout"));
        QVERIFY2(list->currentIndex().data().toString().contains(QStringLiteral("Restore default layout")), qPrintable(list->currentIndex().data().toString()));
        QTest::keyClick(edit, Qt::Key_Return);
        QTRY_VERIFY(w->findChild<QDockWidget*>(QStringLiteral("log"))->isVisible());
        QVERIFY(!w->findChild<CommandPalette*>()->isVisible());

        openPalette(w);
        QTest::keyClicks(edit, QStringLiteral("layers.1 down"));
        QCOMPARE(list->currentIndex().data().toString(), QStringLiteral("Go to model.layers.1.mlp.down_proj"));
        QCOMPARE(list->currentIndex().data(PaletteModel::DetailRole).toString(), QStringLiteral("W4 g64 sym"));
        QTest::keyClick(edit, Qt::Key_Return);
        QTRY_COMPARE(w->session().selectedModule(), QStringLiteral("model.layers.1.mlp.down_proj"));

        openPalette(w);
        QTest::keyClicks(edit, QStringLiteral("go to q_proj"));
        const QString first = list->currentIndex().data().toString();
        QTest::keyClick(edit, Qt::Key_Down);
        QVERIFY(list->currentIndex().data().toString() != first);
        QTest::keyClick(edit, Qt::Key_Up);
        QCOMPARE(list->currentIndex().data().toString(), first);
        QTest::keyClick(edit, Qt::Key_Escape);
        QVERIFY(!w->findChild<CommandPalette*>()->isVisible());
    }

    void thePaletteSaysWhyNot() {
        TestWindow w(*m_folder);
        auto [edit, list] = openPalette(w);
        QTest::keyClicks(edit, QStringLiteral("Run: Run"));
        QCOMPARE(list->currentIndex().data().toString(), QStringLiteral("Run: Run"));
        QVERIFY2(list->currentIndex().data(PaletteModel::DetailRole).toString().contains(QStringLiteral("Open a model first")),
                 qPrintable(list->currentIndex().data(PaletteModel::DetailRole).toString()));
        QVERIFY(!list->currentIndex().data(PaletteModel::UsableRole).toBool());
        QTest::keyClick(edit, Qt::Key_Return);
        QVERIFY(w->findChild<CommandPalette*>()->isVisible());  // nothing happened
        edit->setText(QStringLiteral("§§§"));
        QCOMPARE(list->model()->rowCount(), 0);
        QTest::keyClick(edit, Qt::Key_Return);
        QTest::keyClick(edit, Qt::Key_Down);
    }

    void thePaletteKnowsEveryCommand() {
        TestWindow w(*m_folder);
        openAll(w, *m_folder);
        auto [edit, list] = openPalette(w);
        QStringList titles;
        for (int row = 0; row < list->model()->rowCount(); ++row) titles << list->model()->index(row, 0).data().toString();
        for (const QAction* action : w->actions().findChildren<QAction*>(Qt::FindDirectChildrenOnly)) {
            const QString text = QString(action->text()).remove(QLatin1Char('&'));
            if (!action->isVisible()) continue;
            QVERIFY2(std::any_of(titles.begin(), titles.end(), [&](const QString& title) { return title.endsWith(text); }), qPrintable(text));
        }
        QVERIFY(titles.contains(QStringLiteral("Open recipe recipe.yaml")));
    }

    void tellsOfLongRunsOnlyWhenNobodyLooks() {
        QVERIFY(RunNotifier::worthTelling(61, 60, false));
        QVERIFY(!RunNotifier::worthTelling(61, 60, true));
        QVERIFY(!RunNotifier::worthTelling(59, 60, false));
        QVERIFY(!RunNotifier::worthTelling(1e6, -1, false));

        TestWindow w(*m_folder);
        openAll(w, *m_folder);
        w.settings.setNotifySeconds(0);
        QWidget other;
        other.show();
        other.activateWindow();
        QTRY_VERIFY(!w->isActiveWindow());
        QSignalSpy announced(w->findChild<RunNotifier*>(), &RunNotifier::announced);
        w->actions().run->trigger();
        QTRY_COMPARE(announced.count(), 1);
        QCOMPARE(announced[0][0].toString(), QStringLiteral("The run has finished"));
        QVERIFY2(announced[0][1].toString().startsWith(QStringLiteral("6 modules quantized in 0:0")), qPrintable(announced[0][1].toString()));
    }

    void aStoppedRunCanGoOn() {
        CoreServices core = fakeCore();
        std::atomic<bool> stopHere = true;
        core.runCalibration = [&stopHere, run = core.runCalibration](const RunConfig& config, RunListener& listener, RunControl& control) {
            if (!stopHere) return run(config, listener, control);
            listener.on_event(startOf(denseModel(2), 3));
            listener.on_event(BlockStarted{.block = 0});
            listener.on_event(BlockFinished{.block = 0, .best_loss_mse = 5e-5, .seconds = 1});
            throw RunError("The disk is full. Free some space and continue.");
        };
        TestWindow w(m_folder->path(), core);
        openAll(w, *m_folder);
        QVERIFY(!w->actions().continueRun->isEnabled());
        QVERIFY(w->actions().continueRun->toolTip().contains(QStringLiteral("no unfinished run")));
        w->actions().run->trigger();
        QTRY_COMPARE(w->controller().state(), State::Failed);
        QVERIFY2(w->messages()->text().contains(QStringLiteral("disk is full")), qPrintable(w->messages()->text()));
        stopHere = false;
        QVERIFY(w->actions().continueRun->isEnabled());
        QVERIFY(QTest::qWaitForWindowActive(w.window.get()));
        QTest::keyClick(w.window.get(), Qt::Key_F5, Qt::ShiftModifier);
        QTRY_COMPARE(w->controller().state(), State::Done);
        QVERIFY(w->controller().config().resume);
    }

    void samplesAreCopiesOnTheDemo() {
        TestWindow w(m_folder->path(), fakeCore(), QStringLiteral(CALIBENCH_RESOURCES));
        const auto cards = w->findChildren<QCommandLinkButton*>();
        QVERIFY2(cards.size() >= 6, qPrintable(QString::number(cards.size())));
        const auto card = std::find_if(cards.begin(), cards.end(), [](const QCommandLinkButton* c) { return c->text().startsWith(QStringLiteral("8-bit weights")); });
        QVERIFY(card != cards.end());
        QTest::keyClick(*card, Qt::Key_Space);
        QTRY_COMPARE(w->session().modelState(), Session::ModelState::Ready);
        QVERIFY(w->session().modelFolder().endsWith(QStringLiteral("tiny-llama-shakespeare")));
        QVERIFY(w.editor()->toPlainText().startsWith(QStringLiteral("# 8-bit weights")));
        QVERIFY(w->recipePanel()->file().isEmpty());  // saving must not write to the sample
        QVERIFY(!w->isWindowModified());
        w->openSample(QStringLiteral(CALIBENCH_RESOURCES "/recipes/autoround_w4a16_g64.yaml"));
        QVERIFY(w.editor()->toPlainText().startsWith(QStringLiteral("# 4-bit weights")));
        QVERIFY(w->close());
    }

    void theLayoutComesBack() {
        TestWindow w(*m_folder);
        openAll(w, *m_folder);
        const QByteArray first = w->saveState();
        const auto docks = w->findChildren<QDockWidget*>(QString(), Qt::FindDirectChildrenOnly);
        QVERIFY(docks.size() >= 4);
        for (QDockWidget* dock : docks) dock->hide();
        docks[0]->setFloating(true);
        w->addDockWidget(Qt::LeftDockWidgetArea, docks[2]);
        w->actions().restoreLayout->trigger();
        for (QDockWidget* dock : docks) {
            QVERIFY2(!dock->isHidden() && !dock->isFloating(), qPrintable(dock->objectName()));
            QVERIFY(dock->toggleViewAction()->isChecked());
        }
        QCOMPARE(w->dockWidgetArea(docks[0]), Qt::LeftDockWidgetArea);
        QCOMPARE(w->dockWidgetArea(docks[2]), Qt::RightDockWidgetArea);
    }

    void theMiddleHasHalfTheWindow_data() {
        QTest::addColumn<QSize>("size");
        QTest::newRow("small") << QSize(1280, 720);
        QTest::newRow("usual") << QSize(1440, 900);
        QTest::newRow("large") << QSize(2560, 1440);
    }
    void theMiddleHasHalfTheWindow() {
        QFETCH(QSize, size);
        TestWindow w(*m_folder);
        w->resize(size);
        openAll(w, *m_folder);
        w->actions().restoreLayout->trigger();
        w->resize(size);
        QTest::qWait(20);
        QCOMPARE(w->size(), size);  // nothing is wider or higher than that
        QVERIFY2(w->centralWidget()->width() >= size.width() / 2, qPrintable(QString::number(w->centralWidget()->width())));
        QVERIFY2(w->centralWidget()->height() >= size.height() / 2, qPrintable(QString::number(w->centralWidget()->height())));
    }

    void themesSwitchLive() {
        TestWindow w(*m_folder);
        for (const int theme : {2, 1, 0}) {
            w->actions().themes[size_t(theme)]->trigger();
            QTRY_COMPARE(isDark(w->palette()), theme == 2);
            QTRY_COMPARE(isDark(w.editor()->palette()), theme == 2);
        }
        w.settings.overrideTheme(Theme::Dark);
        QVERIFY(isDark(QApplication::palette()));
        QCOMPARE(Settings(m_folder->file("settings.ini")).theme(), Theme::System);  // a screenshot's colours are not remembered
        w.settings.setTheme(Theme::System);
        QVERIFY(!isDark(QApplication::palette()));
    }

    void everythingHasAName() {
        TestWindow w(*m_folder);
        checkNames(w.window.get());  // the start page
        if (QTest::currentTestFailed()) return;
        openAll(w, *m_folder);
        w->actions().settings->trigger();
        openPalette(w);
        w->actions().run->trigger();
        QTRY_COMPARE(w->controller().state(), State::Done);
        checkNames(w.window.get());
    }

private:
    static std::pair<QLineEdit*, QListView*> openPalette(TestWindow& w) {
        const auto inFront = [&w] {
            w->activateWindow();
            return w->isActiveWindow();
        };
        if (!QTest::qWaitFor(inFront)) qFatal("the window does not come to the front");
        QTest::keyClick(w.editor(), Qt::Key_K, Qt::ControlModifier);  // a text field, which has a use of its own for Ctrl+K
        auto* palette = w->findChild<CommandPalette*>();
        if (!palette || !palette->isVisible()) qFatal("the palette is not there");
        return {palette->findChild<QLineEdit*>(), palette->findChild<QListView*>()};
    }

    template <typename Widget>
    static Widget* field(QWidget* dialog, const char* name) {
        for (Widget* widget : dialog->findChildren<Widget*>())
            if (widget->accessibleName() == QLatin1String(name)) return widget;
        qFatal("no field %s", name);
    }

    static bool anyLabel(QWidget* parent, const QString& text) {
        const auto labels = parent->findChildren<QLabel*>();
        return std::any_of(labels.begin(), labels.end(), [&](const QLabel* label) { return label->text().contains(text); });
    }

    /// What a screen reader could say of it.
    static QString nameOf(const QWidget* widget) {
        if (!widget->accessibleName().isEmpty()) return widget->accessibleName();
        if (const auto* button = qobject_cast<const QAbstractButton*>(widget)) return button->text();
        if (const auto* label = qobject_cast<const QLabel*>(widget)) return label->text();
        return {};
    }

    static void checkNames(const QWidget* window) {
        QStringList nameless;
        for (const QWidget* widget : window->findChildren<QWidget*>()) {
            const QString type = QString::fromLatin1(widget->metaObject()->className());
            // Parts that Qt makes within other widgets, and containers that only pass the focus on.
            const bool ofQt = widget->objectName().startsWith(QLatin1String("qt_")) || qobject_cast<const QMenu*>(widget) || qobject_cast<const QMenuBar*>(widget) ||
                              type == QLatin1String("QTabBar") || qobject_cast<const QTabBar*>(widget->parentWidget()) || qobject_cast<const QComboBox*>(widget->parentWidget()) || qobject_cast<const QAbstractSpinBox*>(widget->parentWidget()) ||
                              qobject_cast<const QLineEdit*>(widget->parentWidget()) || type == QLatin1String("QDockWidgetTitleButton") || type == QLatin1String("QComboBoxPrivateContainer");
            QStringList path;
            for (const QWidget* w = widget; w; w = w->parentWidget()) path.prepend(QString::fromLatin1(w->metaObject()->className()));
            if (widget->focusPolicy() == Qt::NoFocus || !widget->isVisibleTo(window) || ofQt || path.contains(QStringLiteral("QComboBoxPrivateContainer"))) continue;
            if (nameOf(widget).isEmpty()) nameless << path.join(QStringLiteral(" > "));
            const auto* button = qobject_cast<const QToolButton*>(widget);
            if (button && button->text().isEmpty() && button->toolTip().isEmpty()) nameless << path.join(QStringLiteral(" > ")) + QStringLiteral(" (tooltip)");
        }
        for (const QAction* action : window->findChildren<QAction*>())
            if (!action->isSeparator() && !action->text().isEmpty() && !action->menu() && action->toolTip().isEmpty()) nameless << action->text();
        QVERIFY2(nameless.isEmpty(), qPrintable(nameless.join(QLatin1Char('\n'))));
    }

    std::unique_ptr<WindowFolder> m_folder;
};

QTEST_MAIN(TestHabits)
#include "tst_habits.moc"
