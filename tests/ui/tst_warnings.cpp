#include <QAbstractItemModelTester>
#include <QApplication>
#include <QCheckBox>
#include <QClipboard>
#include <QComboBox>
#include <QDockWidget>
#include <QLineEdit>
#include <QSignalSpy>
#include <QTabWidget>
#include <QTemporaryDir>
#include <QTest>
#include <QTreeView>

#include "tests/ui/fake_core.h"
#include "ui/actions.h"
#include "ui/main_window.h"
#include "ui/models/warning_filter.h"
#include "ui/models/warning_model.h"
#include "ui/panels/plots_page.h"
#include "ui/panels/state_page.h"
#include "ui/panels/warnings_panel.h"
#include "ui/theme.h"

using namespace calibench;
using Kind = Warning::Kind;

class TestWarnings : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void initTestCase() { installStyle(); }
    void init() { test::failOnAnyWarning(); }

    void countsWhatRepeatsOnce() {
        WarningModel model;
        QAbstractItemModelTester tester(&model, QAbstractItemModelTester::FailureReportingMode::QtTest);
        QSignalSpy inserted(&model, &QAbstractItemModel::rowsInserted), changed(&model, &QAbstractItemModel::dataChanged);
        model.add({{"a", "clipped", Kind::ClippedRange}, {"a", "clipped", Kind::ClippedRange}, {"b", "clipped", Kind::ClippedRange}});
        QCOMPARE(model.rowCount(), 2);
        QCOMPARE(inserted.count(), 1);
        QCOMPARE(cell(model, 0, WarningModel::CountColumn), QStringLiteral("× 2"));
        model.add({{"a", "clipped", Kind::ClippedRange}, {"b", "clipped", Kind::ClippedRange}, {"c", "flat", Kind::Plateau}});
        QCOMPARE(model.rowCount(), 3);
        QCOMPARE(changed.count(), 1);  // two rows that touch
        QCOMPARE(cell(model, 0, WarningModel::CountColumn), QStringLiteral("× 3"));
        QCOMPARE(cell(model, 2, WarningModel::KindColumn), QStringLiteral("Plateau"));
    }

    void staysFluentWithThousands() {
        WarningModel model;
        WarningFilter filter;
        filter.setSourceModel(&model);
        filter.setText(QStringLiteral("7"));
        QAbstractItemModelTester tester(&model, QAbstractItemModelTester::FailureReportingMode::QtTest);
        QSignalSpy inserted(&model, &QAbstractItemModel::rowsInserted), resets(&model, &QAbstractItemModel::modelReset);
        for (int batch = 0; batch < 20; ++batch) {
            std::vector<Warning> warnings;
            for (int i = 0; i < 500; ++i) warnings.push_back({"m" + std::to_string(500 * batch + i), "2 channels hold 40 % of the range", Kind::Outliers});
            model.add(warnings);
        }
        QCOMPARE(model.rowCount(), 10'000);
        QCOMPARE(inserted.count(), 20);
        QCOMPARE(resets.count(), 0);
        QCOMPARE(filter.rowCount(), 3439);  // numbers under 10,000 with a 7 in them
        model.ignoreKind(Kind::Outliers);
        QCOMPARE(filter.rowCount(), 0);
        QCOMPARE(model.shownCount(), 0);
    }

    void ignoresAndBringsBack() {
        Bench bench;
        QCOMPARE(bench.shown(), 4);
        bench.select({1, 2});
        QVERIFY(!bench.panel.showPlace->isEnabled());  // of two
        bench.panel.ignore->trigger();
        QCOMPARE(bench.shown(), 2);
        QCOMPARE(bench.model.shownCount(), 2);
        auto* ignored = bench.panel.findChild<QCheckBox*>();
        QCOMPARE(ignored->text(), QStringLiteral("Show ignored (2)"));
        ignored->click();
        QCOMPARE(bench.shown(), 4);
        QCOMPARE(cell(*bench.panel.view()->model(), 1, WarningModel::KindColumn), QStringLiteral("Plateau, ignored"));
        bench.select({1});
        QVERIFY(bench.panel.restore->isEnabled());
        bench.panel.restore->trigger();
        QCOMPARE(bench.model.ignoredCount(), 1);
        bench.select({0});
        QVERIFY(!bench.panel.restore->isEnabled());
        QVERIFY(bench.panel.restore->toolTip().contains(QStringLiteral("Select a warning that is ignored")));
        bench.panel.ignoreKind->trigger();
        QCOMPARE(bench.model.ignoredCount(), 2);  // both of outliers
    }

    void filtersByKindAndText() {
        Bench bench;
        auto* kinds = bench.panel.findChild<QComboBox*>();
        auto* text = bench.panel.findChild<QLineEdit*>();
        kinds->setCurrentIndex(kinds->findText(QStringLiteral("Outliers")));
        QCOMPARE(bench.shown(), 2);
        text->setText(QStringLiteral("K_PROJ"));
        QCOMPARE(bench.shown(), 1);
        text->setText(QStringLiteral("nowhere"));
        auto* page = bench.panel.findChild<StatePage*>();
        QVERIFY(!page->showsContent());
        QCOMPARE(page->sentence(), QStringLiteral("No warning fits the filter."));
        text->clear();
        QVERIFY(page->showsContent());
        bench.model.clear();
        QCOMPARE(page->sentence(), QStringLiteral("No warnings."));
    }

    void copiesAsATable() {
        Bench bench;
        bench.select({3});
        bench.panel.copy->trigger();
        const QStringList lines = QApplication::clipboard()->text().split(QLatin1Char('\n'), Qt::SkipEmptyParts);
        QCOMPARE(lines.size(), 2);
        QCOMPARE(lines[0], QStringLiteral("Kind\tModule\tWarning\tTimes\tTime"));
        QVERIFY(lines[1].startsWith(QStringLiteral("Starved expert\tmodel.layers.1.mlp.down_proj\t3 tokens only\t1\t")));
        bench.panel.view()->clearSelection();
        bench.panel.copy->trigger();
        QCOMPARE(QApplication::clipboard()->text().split(QLatin1Char('\n'), Qt::SkipEmptyParts).size(), 5);
    }

    void jumpsToThePlace() {
        QTemporaryDir folder;
        QDir(folder.path()).mkpath(QStringLiteral("tiny"));
        QFile text(folder.filePath(QStringLiteral("text.txt"))), recipe(folder.filePath(QStringLiteral("recipe.yaml")));
        for (QFile* file : {&text, &recipe}) {
            QVERIFY(file->open(QIODevice::WriteOnly));
            file->write("test_stage: {}\n");
            file->close();
        }
        CoreServices services = test::fakeCore();
        services.runCalibration = [](const RunConfig&, RunListener& listener, RunControl&) {
            listener.on_event(test::startOf(test::denseModel(2)));
            for (const Warning& warning : someWarnings()) listener.on_event(warning);
            return RunSummary{};
        };
        Settings settings(folder.filePath(QStringLiteral("settings.ini")));
        QSettings(folder.filePath(QStringLiteral("settings.ini")), QSettings::IniFormat).setValue(QStringLiteral("run/workspace"), folder.filePath(QStringLiteral("runs")));
        MainWindow window(services, settings, folder.path());
        window.show();
        window.openModel(folder.filePath(QStringLiteral("tiny")));
        window.openData(text.fileName());
        window.openRecipe(recipe.fileName());
        QTRY_VERIFY2(window.session().obstacle().isEmpty(), qPrintable(window.session().obstacle()));
        window.actions().run->trigger();
        QTRY_COMPARE(window.controller().state(), RunController::State::Done);
        auto* dock = window.findChild<QDockWidget*>(QStringLiteral("warnings"));
        QCOMPARE(dock->windowTitle(), QStringLiteral("Warnings: 4"));

        dock->raise();
        auto* view = window.findChild<WarningsPanel*>()->view();
        const auto* tabs = window.findChild<PlotsPage*>()->findChild<QTabWidget*>();
        const char* const plots[] = {"Ranges", "Loss", "Ranges", "Tokens"};
        for (int row = 0; row < 4; ++row) {
            const QModelIndex index = view->model()->index(row, WarningModel::MessageColumn);
            view->scrollTo(index);
            QTest::mouseClick(view->viewport(), Qt::LeftButton, {}, view->visualRect(index).center());
            QCOMPARE(window.session().selectedModule(), index.data(WarningModel::ModuleRole).toString());
            QCOMPARE(tabs->tabText(tabs->currentIndex()), QString::fromLatin1(plots[row]));
        }
        view->setCurrentIndex(view->model()->index(1, 0));
        QTest::keyClick(view, Qt::Key_Return);
        QCOMPARE(window.session().selectedModule(), QStringLiteral("model.layers.1"));
        QCOMPARE(tabs->tabText(tabs->currentIndex()), QStringLiteral("Loss"));
    }

private:
    static std::vector<Warning> someWarnings() {
        return {{"model.layers.0.self_attn.q_proj", "2 channels hold 40 % of the range", Kind::Outliers},
                {"model.layers.1", "no step lowers the loss", Kind::Plateau},
                {"model.layers.0.self_attn.k_proj", "1 channel holds 60 % of the range", Kind::Outliers},
                {"model.layers.1.mlp.down_proj", "3 tokens only", Kind::StarvedExpert}};
    }
    static QString cell(const QAbstractItemModel& model, int row, int column) { return model.index(row, column).data().toString(); }

    struct Bench {
        Bench() : panel(model), tester(panel.view()->model(), QAbstractItemModelTester::FailureReportingMode::QtTest) {
            model.add(someWarnings());
            panel.show();
        }
        int shown() const { return panel.view()->model()->rowCount(); }
        void select(const QList<int>& rows) const {
            panel.view()->clearSelection();
            for (const int row : rows)
                panel.view()->selectionModel()->select(panel.view()->model()->index(row, 0), QItemSelectionModel::Select | QItemSelectionModel::Rows);
        }
        WarningModel model;
        WarningsPanel panel;
        QAbstractItemModelTester tester;
    };
};

QTEST_MAIN(TestWarnings)
#include "tst_warnings.moc"
