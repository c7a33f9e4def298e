#include <QAbstractItemModelTester>
#include <QAction>
#include <QApplication>
#include <QCheckBox>
#include <QClipboard>
#include <QComboBox>
#include <QFileInfo>
#include <QHeaderView>
#include <QLineEdit>
#include <QPlainTextEdit>
#include <QProgressBar>
#include <QPushButton>
#include <QSignalSpy>
#include <QSpinBox>
#include <QTabWidget>
#include <QTest>
#include <QToolButton>
#include <QTreeView>

#include <atomic>

#include "tests/ui/fake_core.h"
#include "tests/ui/fake_runs.h"
#include "ui/models/bar_delegate.h"
#include "ui/panels/state_page.h"
#include "ui/plots/qcustomplot.h"
#include "ui/run_controller.h"
#include "ui/runs/module_comparison.h"
#include "ui/runs/module_differences.h"
#include "ui/runs/perplexity_dialog.h"
#include "ui/runs/recipe_diff_view.h"
#include "ui/runs/run_comparison.h"
#include "ui/runs/run_loss_plot.h"
#include "ui/runs/runs_model.h"
#include "ui/runs/runs_page.h"
#include "ui/runs/settings_comparison.h"
#include "ui/session.h"
#include "ui/settings.h"
#include "ui/theme.h"

using namespace calibench;
using Number = ModuleComparison::Number;

namespace {

const QString Q1 = QStringLiteral("model.layers.1.self_attn.q_proj");

CoreServices coreOf(const std::shared_ptr<test::FakeRuns>& runs) {
    CoreServices services = test::fakeCore();
    test::FakeRuns::install(runs, services);
    return services;
}

/// The Runs tab of its own, on fake runs.
struct Shown {
    explicit Shown(const std::shared_ptr<test::FakeRuns>& runs) : Shown(runs, coreOf(runs)) {}
    Shown(const std::shared_ptr<test::FakeRuns>& runs, CoreServices services)
        : settings(settingsOf(*runs)), session(services), controller(services.runCalibration), page(session, controller, settings) {
        for (QAbstractItemModel* model : {list(), page.comparison()->modules()->table()->model(), page.comparison()->settings()->model()})
            new QAbstractItemModelTester(model, QAbstractItemModelTester::FailureReportingMode::QtTest, &page);
        page.resize(1000, 700);
        page.show();
        page.activateWindow();
        if (!QTest::qWaitForWindowActive(&page)) qFatal("the page's window does not become active");
    }
    static QString settingsOf(const test::FakeRuns& runs) {
        const QString file = runs.file(QStringLiteral("settings.ini"));
        QSettings(file, QSettings::IniFormat).setValue(QStringLiteral("run/workspace"), runs.workspace());
        return file;
    }
    [[nodiscard]] bool read(int rows) {
        return QTest::qWaitFor([this, rows] { return list()->rowCount() == rows && !page.list().busy() && page.list().countUnread() == 0; }, 5000);
    }
    [[nodiscard]] bool compared() {
        return QTest::qWaitFor([this] {
            const auto& runs = page.comparison()->runs().runs();
            return !runs.empty() && std::all_of(runs.begin(), runs.end(), [](const ComparedRun& run) { return run.facts != nullptr; });
        }, 5000);
    }
    [[nodiscard]] QAbstractItemModel* list() const { return page.table()->model(); }
    [[nodiscard]] QString text(int row, int column) const { return list()->index(row, column).data().toString(); }
    [[nodiscard]] QModelIndex rowOf(const QString& title) const {
        for (int row = 0; row < list()->rowCount(); ++row)
            if (text(row, RunsModel::Title) == title) return list()->index(row, 0);
        return {};
    }
    /// As with the mouse: the first alone, the others with Ctrl.
    void click(const QStringList& titles) {
        Qt::KeyboardModifiers held = Qt::NoModifier;
        for (const QString& title : titles) {
            QTest::mouseClick(page.table()->viewport(), Qt::LeftButton, held, page.table()->visualRect(rowOf(title)).center());
            held = Qt::ControlModifier;
        }
    }
    [[nodiscard]] RunComparison& comparison() { return *page.comparison(); }
    [[nodiscard]] QAbstractItemModel* modules() { return comparison().modules()->table()->model(); }
    [[nodiscard]] QModelIndex module(const QString& name, int column) {
        for (int row = 0; row < modules()->rowCount(); ++row)
            if (modules()->index(row, 0).data(ModuleComparison::ModuleRole).toString() == name) return modules()->index(row, column);
        return {};
    }
    void compareNumber(Number number) { comparison().modules()->findChild<QComboBox*>()->setCurrentIndex(static_cast<int>(number)); }
    [[nodiscard]] QString setting(const QString& name, int run) {
        const QAbstractItemModel* model = comparison().settings()->model();
        for (int row = 0; row < model->rowCount(); ++row)
            if (model->index(row, 0).data().toString().startsWith(name)) return model->index(row, 1 + run).data().toString();
        return {};
    }

    Settings settings;
    Session session;
    RunController controller;
    RunsPage page;
};

}  // namespace

class TestRuns : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void initTestCase() { installStyle(); }
    void init() {
        test::failOnAnyWarning();
        m_runs = std::make_shared<test::FakeRuns>();
        qputenv("XDG_DATA_HOME", m_runs->file(QStringLiteral("data")).toLocal8Bit());
    }

    void listsWhatThereIsAndSaysWhatIsWrong() {
        m_runs->add(QStringLiteral("first"), test::finishedRun(2, 1'700'000'000));
        RunFacts failed = test::finishedRun(2, 1'700'100'000);
        failed.ending = StoredRun::Ending::Failed;
        failed.failure = "No room.";
        failed.output_bytes = 0;
        failed.started.iters = 0;
        failed.mean_initial_loss_mse = failed.mean_best_loss_mse = 0;
        m_runs->add(QStringLiteral("second"), failed);
        m_runs->addDamaged(QStringLiteral("wrecked"));
        Shown shown(m_runs);
        QVERIFY(shown.read(3));

        QCOMPARE(shown.text(0, RunsModel::Title), QStringLiteral("second"));  // the newest first, what is not known last
        QCOMPARE(shown.text(1, RunsModel::Title), QStringLiteral("first"));
        QCOMPARE(shown.text(2, RunsModel::Title), QStringLiteral("wrecked"));
        QCOMPARE(shown.text(1, RunsModel::Model), QStringLiteral("tiny"));
        QCOMPARE(shown.text(1, RunsModel::Scheme), QStringLiteral("W4 g64 sym"));
        QCOMPARE(shown.text(1, RunsModel::Samples), QStringLiteral("4 × 32"));
        QCOMPARE(shown.text(1, RunsModel::Tuning), QStringLiteral("4 iteration(s)"));
        QCOMPARE(shown.text(1, RunsModel::Loss), QStringLiteral("2.00e-4 → 1.00e-4 (-50.0\u00a0%)"));
        QCOMPARE(shown.text(1, RunsModel::Size), QStringLiteral("4.00\u00a0KiB"));
        QCOMPARE(shown.text(1, RunsModel::Time), QStringLiteral("1:01"));
        QCOMPARE(shown.text(1, RunsModel::Ending), QStringLiteral("finished"));
        QCOMPARE(shown.text(0, RunsModel::Ending), QStringLiteral("failed: No room."));
        QCOMPARE(shown.text(0, RunsModel::Tuning), QStringLiteral("to nearest"));
        QVERIFY(shown.text(2, RunsModel::Ending).contains(QStringLiteral("run.json, line 1")));

        shown.click({QStringLiteral("wrecked")});
        QVERIFY(!shown.page.showRun->isEnabled() && shown.page.showRun->toolTip().contains(QStringLiteral("cannot be read")));
        QVERIFY(shown.page.trash->isEnabled());
        QVERIFY(shown.comparison().findChild<StatePage*>()->sentence().contains(QStringLiteral("run.json, line 1")));
        shown.page.table()->clearSelection();
        QVERIFY(shown.comparison().findChild<StatePage*>()->sentence().contains(QStringLiteral("Select a run")));
    }

    void sortsAndFilters() {
        for (int i = 0; i < 3; ++i) {
            RunFacts run = test::finishedRun(2, 1'700'000'000 + i);
            run.seconds = i == 1 ? 9 : 100 * (i + 1);
            if (i == 2) run.output_bytes = 0;
            m_runs->add(QStringLiteral("run-%1").arg(i), run);
        }
        Shown shown(m_runs);
        QVERIFY(shown.read(3));
        shown.page.table()->sortByColumn(RunsModel::Time, Qt::AscendingOrder);
        QCOMPARE(shown.text(0, RunsModel::Title), QStringLiteral("run-1"));
        QCOMPARE(shown.text(2, RunsModel::Title), QStringLiteral("run-2"));
        for (const Qt::SortOrder order : {Qt::AscendingOrder, Qt::DescendingOrder}) {
            shown.page.table()->sortByColumn(RunsModel::Size, order);
            QCOMPARE(shown.text(2, RunsModel::Title), QStringLiteral("run-2"));  // without a checkpoint
        }
        QTest::keyClicks(shown.page.findChild<QLineEdit*>(), QStringLiteral("run-1"));
        QCOMPARE(shown.list()->rowCount(), 1);
    }

    void aNewNameSurvives() {
        const QString directory = m_runs->add(QStringLiteral("first"), test::finishedRun());
        {
            Shown shown(m_runs);
            QVERIFY(shown.read(1));
            shown.click({QStringLiteral("first")});
            QTest::keyClick(shown.page.table(), Qt::Key_F2);
            auto* editor = shown.page.table()->findChild<QLineEdit*>();
            QVERIFY(editor);
            QCOMPARE(editor->text(), QStringLiteral("first"));
            QTest::keyClicks(editor, QStringLiteral("Groups of 64"));
            QTest::keyClick(editor, Qt::Key_Return);
            QTRY_COMPARE(shown.text(0, RunsModel::Title), QStringLiteral("Groups of 64"));
            QTRY_COMPARE(m_runs->notes(directory).title, std::string("Groups of 64"));
        }
        Shown again(m_runs);
        QVERIFY(again.read(1));
        QCOMPARE(again.text(0, RunsModel::Title), QStringLiteral("Groups of 64"));
        QVERIFY(QFileInfo::exists(directory));
    }

    void aNameThatCannotBeKeptIsTakenBack() {
        m_runs->add(QStringLiteral("first"), test::finishedRun());
        Shown shown(m_runs);
        QVERIFY(shown.read(1));
        QSignalSpy failed(&shown.page, &RunsPage::failed);
        QVERIFY(shown.list()->setData(shown.list()->index(0, 0), QStringLiteral("full disk")));
        QTRY_COMPARE(failed.count(), 1);
        QVERIFY(failed.at(0).at(0).toString().contains(QStringLiteral("notes.json cannot be written")));
        QTRY_COMPARE(shown.text(0, RunsModel::Title), QStringLiteral("first"));
    }

    void notesAreKeptWhileOneTypes() {
        const QString directory = m_runs->add(QStringLiteral("first"), test::finishedRun());
        const QString other = m_runs->add(QStringLiteral("second"), test::finishedRun());
        Shown shown(m_runs);
        QVERIFY(shown.read(2));
        shown.click({QStringLiteral("first")});
        shown.page.annotate->trigger();
        QPlainTextEdit* notes = shown.comparison().annotation();
        QTRY_VERIFY(notes->hasFocus());
        QTest::keyClicks(notes, QStringLiteral("Too coarse."));
        QTRY_COMPARE_WITH_TIMEOUT(m_runs->notes(directory).annotation, std::string("Too coarse."), 3000);
        QVERIFY(notes->hasFocus());  // what was kept does not disturb what is typed
        QTest::keyClicks(notes, QStringLiteral(" Really."));
        shown.click({QStringLiteral("second")});  // before the pause is over
        QTRY_COMPARE(m_runs->notes(directory).annotation, std::string("Too coarse. Really."));
        QCOMPARE(notes->toPlainText(), QString());
        QCOMPARE(m_runs->notes(other).annotation, std::string());
        QVERIFY(shown.list()->index(shown.rowOf(QStringLiteral("first")).row(), 0).data(Qt::ToolTipRole).toString().contains(QStringLiteral("Really.")));
    }

    void goesToTheTrashAsAWhole() {
        const QString directory = m_runs->add(QStringLiteral("first"), test::finishedRun());
        RunFacts running = test::finishedRun();
        running.ending = StoredRun::Ending::Interrupted;
        running.at_work = true;
        m_runs->add(QStringLiteral("busy"), running);
        Shown shown(m_runs);
        QVERIFY(shown.read(2));
        QVERIFY(!shown.page.trash->isEnabled());
        shown.click({QStringLiteral("busy")});
        QVERIFY(!shown.page.trash->isEnabled() && shown.page.trash->toolTip().contains(QStringLiteral("at work")));
        shown.click({QStringLiteral("first")});
        QSignalSpy trashed(&shown.page, &RunsPage::trashed);
        QTest::keyClick(shown.page.table(), Qt::Key_Delete);
        QTRY_COMPARE(trashed.count(), 1);
        QCOMPARE(trashed.at(0).at(0).toString(), directory);
        QCOMPARE(shown.list()->rowCount(), 1);
        QVERIFY(!QFileInfo::exists(m_runs->workspace() + QStringLiteral("/first")));
        const QString trash = m_runs->file(QStringLiteral("data/Trash/files/first"));
        QVERIFY(QFileInfo::exists(trash + QStringLiteral("/run/run.json")) && QFileInfo::exists(trash + QStringLiteral("/checkpoint")));
        QVERIFY(shown.page.selected().isEmpty());
    }

    void showsWhatDiffersFromTheFirst() {
        const QString a = m_runs->add(QStringLiteral("a"), test::finishedRun(2, 1'700'000'000));
        RunFacts other = test::finishedRun(2, 1'700'000'001);
        other.config.seq_len = 64;
        other.config.recipe_yaml = "test_stage:\n  quant_modifiers:\n    group_size: 128\n";
        for (auto& [name, module] : other.modules)
            if (name == Q1.toStdString()) {
                module.weight_sqnr_db = 17.5;
                module.output_sqnr_db = 20;
                module.scheme = "W4 g128 sym";
                module.weight_range = {-1.5, 0.25};
            }
        const QString b = m_runs->add(QStringLiteral("b"), other);
        Shown shown(m_runs);
        QVERIFY(shown.read(2));
        shown.click({QStringLiteral("a"), QStringLiteral("b")});
        QCOMPARE(shown.page.selected(), QStringList({a, b}));
        QVERIFY(shown.compared());

        QCOMPARE(shown.modules()->rowCount(), 6);
        const int difference = ModuleComparison::columnOf(1, true);
        QCOMPARE(shown.modules()->index(0, 0).data().toString(), Q1);  // what got worst is first
        QCOMPARE(shown.modules()->index(0, difference).data().toString(), QStringLiteral("-3.5"));
        QVERIFY(shown.modules()->index(0, difference).data(BarDelegate::AlarmRole).toBool());
        QCOMPARE(shown.modules()->index(0, difference).data(BarDelegate::BarRole).toDouble(), 1.0);
        QCOMPARE(shown.modules()->index(0, ModuleComparison::Scheme).data().toString(), QStringLiteral("W4 g64 sym → W4 g128 sym"));
        QCOMPARE(shown.modules()->headerData(difference, Qt::Horizontal).toString(), QStringLiteral("B − A"));
        QVERIFY(!shown.modules()->index(1, difference).data(BarDelegate::BarRole).isValid());  // alike: no bar
        shown.compareNumber(Number::OutputSqnr);
        QCOMPARE(shown.module(Q1, difference).data().toString(), QStringLiteral("+1"));
        QVERIFY(!shown.module(Q1, difference).data(BarDelegate::AlarmRole).toBool());
        shown.compareNumber(Number::WeightRange);
        QCOMPARE(shown.module(Q1, ModuleComparison::columnOf(1)).data(ModuleComparison::SortRole).toDouble(), 1.5);
        QCOMPARE(shown.module(Q1, ModuleComparison::columnOf(1)).data(Qt::ToolTipRole).toString(), QStringLiteral("-1.5 … 0.25"));
        shown.compareNumber(Number::WeightSqnr);

        QCOMPARE(shown.setting(QStringLiteral("Tokens in a sample"), 0), QStringLiteral("32"));
        QCOMPARE(shown.setting(QStringLiteral("Tokens in a sample"), 1), QStringLiteral("64"));
        QCOMPARE(shown.setting(QStringLiteral("Seed"), 0), QString());  // they agree in it
        shown.comparison().tabs()->setCurrentIndex(RunComparison::Settings);
        shown.comparison().findChild<QCheckBox*>()->click();
        QCOMPARE(shown.setting(QStringLiteral("Seed"), 0), QStringLiteral("42"));

        QCOMPARE(shown.comparison().recipe()->toPlainText(),
                 QStringLiteral("@@ -1,3 +1,3 @@\n  test_stage:\n    quant_modifiers:\n-     group_size: 64\n+     group_size: 128"));
        QCOMPARE(shown.comparison().recipe()->extraSelections().size(), 3);

        // The other way round, the other is the base.
        shown.click({QStringLiteral("b"), QStringLiteral("a")});
        QVERIFY(shown.compared());
        QTRY_COMPARE(shown.module(Q1, difference).data().toString(), QStringLiteral("+3.5"));
        QVERIFY(shown.comparison().recipe()->toPlainText().contains(QStringLiteral("+     group_size: 64")));
    }

    void theSelectedModuleIsTheWindows() {
        m_runs->add(QStringLiteral("a"), test::finishedRun());
        Shown shown(m_runs);
        QVERIFY(shown.read(1));
        shown.session.selectModule(Q1);
        shown.click({QStringLiteral("a")});
        QVERIFY(shown.compared());
        shown.comparison().tabs()->setCurrentIndex(RunComparison::Modules);
        QTreeView* table = shown.comparison().modules()->table();
        QTRY_COMPARE(table->currentIndex().data(ModuleComparison::ModuleRole).toString(), Q1);
        QTest::mouseClick(table->viewport(), Qt::LeftButton, {}, table->visualRect(shown.module(QStringLiteral("model.layers.0.mlp.down_proj"), 0)).center());
        QCOMPARE(shown.session.selectedModule(), QStringLiteral("model.layers.0.mlp.down_proj"));
        QTest::keyClicks(shown.comparison().modules()->findChild<QLineEdit*>(), QStringLiteral("k_proj"));  // hides the selected row
        QCOMPARE(shown.modules()->rowCount(), 2);
        QCOMPARE(shown.session.selectedModule(), QStringLiteral("model.layers.0.mlp.down_proj"));
    }

    void lossesLieOverEachOther() {
        m_runs->add(QStringLiteral("a"), test::finishedRun());
        RunFacts other = test::finishedRun();
        other.blocks.at(1).loss_mse = {3e-4, 5e-5};
        other.blocks.at(1).best_loss_mse = 5e-5;
        m_runs->add(QStringLiteral("b"), other);
        Shown shown(m_runs);
        QVERIFY(shown.read(2));
        shown.click({QStringLiteral("a"), QStringLiteral("b")});
        QVERIFY(shown.compared());
        shown.comparison().tabs()->setCurrentIndex(RunComparison::Losses);
        RunLossPlot& plot = *shown.comparison().losses();
        QCOMPARE(plot.shownBlock(), 1);
        QCOMPARE(plot.table().rows.size(), 4 + 2);
        QCOMPARE(plot.table().rows.at(5), QStringList({QStringLiteral("B: b"), QStringLiteral("1"), QStringLiteral("1"), QStringLiteral("5e-05")}));
        QVERIFY(plot.readoutOf(3).contains(QStringLiteral("B: b\nBlock 1")));
        QSignalSpy clicked(&plot, &Plot::moduleClicked);
        auto* canvas = plot.findChild<QCustomPlot*>();
        QTRY_VERIFY(!plot.boxOf(0).isEmpty());
        QTest::mouseClick(canvas, Qt::LeftButton, {}, plot.boxOf(0).center().toPoint());
        QCOMPARE(clicked.count(), 1);
        QCOMPARE(shown.session.selectedModule(), QStringLiteral("model.layers.0"));
        QCOMPARE(plot.shownBlock(), 0);
    }

    void fiveThousandModulesOfThreeRuns() {
        for (int run = 0; run < 3; ++run) {
            RunFacts facts = test::finishedRun(1667, 1'700'000'000 + run);
            for (auto& [name, module] : facts.modules) *module.weight_sqnr_db = 20 + module.block % 7 - run;
            m_runs->add(QStringLiteral("run-%1").arg(run), facts);
        }
        Shown shown(m_runs);
        QVERIFY(shown.read(3));
        shown.click({QStringLiteral("run-0"), QStringLiteral("run-1"), QStringLiteral("run-2")});
        QVERIFY(shown.compared());
        QCOMPARE(shown.modules()->rowCount(), 5001);
        QCOMPARE(shown.modules()->columnCount(), ModuleComparison::FirstValue + 5);
        QCOMPARE(shown.module(Q1, ModuleComparison::columnOf(2, true)).data().toString(), QStringLiteral("-2"));
        QCOMPARE(shown.comparison().findChild<RecipeDiffView*>()->toPlainText(), QString());  // the same recipe
    }

    void measuresPerplexityOnceAModelAndText() {
        const QString a = m_runs->add(QStringLiteral("a"), test::finishedRun()), b = m_runs->add(QStringLiteral("b"), test::finishedRun());
        QFile text(m_runs->file(QStringLiteral("text.txt")));
        QVERIFY(text.open(QIODevice::WriteOnly));
        text.close();
        CoreServices services = coreOf(m_runs);
        const auto known = std::make_shared<std::atomic<int>>(0);
        const auto hold = std::make_shared<std::atomic<bool>>(true);
        services.measurePerplexity = [known, hold](const RunFacts& run, const PerplexityOptions& options, const std::optional<PerplexityNote>& before, RunControl& control, const std::function<void(double)>& tell) {
            tell(0.5);
            while (*hold) {
                control.checkpoint();
                QThread::msleep(1);
            }
            *known += before.has_value();
            if (run.output_dir.empty()) throw RunError("no export");
            return PerplexityNote{.text = options.text, .seq_len = options.seq_len, .max_tokens = options.max_tokens, .quantized = 12.5, .original = 12};
        };
        Shown shown(m_runs, services);
        QVERIFY(shown.read(2));
        const auto measure = [&](const QString& title) {
            shown.click({title});
            shown.page.measure->trigger();
            auto* dialog = shown.page.findChild<PerplexityDialog*>();
            QVERIFY(dialog);
            dialog->findChild<QLineEdit*>()->setText(text.fileName());
            dialog->findChild<QSpinBox*>(QStringLiteral("window"))->setValue(64);
            auto* button = dialog->findChild<QPushButton*>(QStringLiteral("measure"));
            QVERIFY2(button->isEnabled(), qPrintable(button->toolTip()));
            button->click();
        };
        measure(QStringLiteral("a"));
        QTRY_VERIFY(shown.page.perplexity().fraction() == 0.5);
        QVERIFY(!shown.page.measure->isEnabled() && shown.page.measure->toolTip().contains(QStringLiteral("being measured")));
        auto* stop = shown.page.findChild<QToolButton*>(QStringLiteral("stopMeasuring"));
        QVERIFY(stop->isVisible());
        stop->click();
        QTRY_VERIFY(!shown.page.perplexity().busy());
        QVERIFY(!m_runs->notes(a).perplexity);

        *hold = false;
        QTRY_VERIFY(!shown.page.findChild<PerplexityDialog*>());
        measure(QStringLiteral("a"));
        QTRY_VERIFY(m_runs->notes(a).perplexity);
        QCOMPARE(shown.text(shown.rowOf(QStringLiteral("a")).row(), RunsModel::PerplexityColumn), QStringLiteral("12.5 (+0.5)"));
        QCOMPARE(known->load(), 0);
        QTRY_VERIFY(!shown.page.findChild<PerplexityDialog*>());
        measure(QStringLiteral("b"));
        QTRY_VERIFY(m_runs->notes(b).perplexity);
        QCOMPARE(known->load(), 1);
        QCOMPARE(shown.settings.evaluation().seqLen, 64);
    }

    void copiesRawNumbers() {
        m_runs->add(QStringLiteral("a"), test::finishedRun());
        Shown shown(m_runs);
        QVERIFY(shown.read(1));
        shown.click({QStringLiteral("a")});
        QTest::keyClick(shown.page.table(), Qt::Key_C, Qt::ControlModifier);
        const QStringList lines = QApplication::clipboard()->text().split(QLatin1Char('\n'));
        QVERIFY(lines.at(0).startsWith(QStringLiteral("Run\tEnded\tScheme")));
        QVERIFY2(lines.at(1).contains(QStringLiteral("\t1e-04\t4096\t\t61\t")), qPrintable(lines.at(1)));
    }

    void aRunThatIsDamagedMeanwhileIsTold() {
        m_runs->add(QStringLiteral("a"), test::finishedRun());
        CoreServices services = coreOf(m_runs);
        const auto wrecked = std::make_shared<std::atomic<bool>>(false);
        services.factsOfRun = [read = services.factsOfRun, wrecked](const std::filesystem::path& directory) {
            if (*wrecked) throw InputError("events.jsonl, line 7: this is no event of a run. The journal is damaged.");
            return read(directory);
        };
        Shown shown(m_runs, services);
        QVERIFY(shown.read(1));
        *wrecked = true;
        shown.click({QStringLiteral("a")});
        shown.comparison().tabs()->setCurrentIndex(RunComparison::Modules);
        auto* state = qobject_cast<StatePage*>(shown.comparison().tabs()->currentWidget());
        QTRY_VERIFY2(state->sentence().contains(QStringLiteral("line 7")), qPrintable(state->sentence()));
    }

    void emptyLoadingAndGone() {
        Shown shown(m_runs);
        auto* state = shown.page.findChild<StatePage*>();
        QTRY_VERIFY(state->sentence().contains(QStringLiteral("Open a model first")));
        const QString directory = m_runs->add(QStringLiteral("late"), test::finishedRun());
        shown.page.list().lookAgain();
        QVERIFY(shown.read(1));
        QVERIFY(state->showsContent());
        QVERIFY(QDir(m_runs->workspace() + QStringLiteral("/late")).removeRecursively());
        shown.page.list().lookAgain();
        QVERIFY(shown.read(0));
        QVERIFY(!state->showsContent());
    }

private:
    std::shared_ptr<test::FakeRuns> m_runs;
};

QTEST_MAIN(TestRuns)
#include "tst_runs.moc"
