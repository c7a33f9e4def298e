#include <QAbstractItemModelTester>
#include <QApplication>
#include <QCheckBox>
#include <QClipboard>
#include <QComboBox>
#include <QDoubleSpinBox>
#include <QHeaderView>
#include <QLineEdit>
#include <QPainter>
#include <QProgressBar>
#include <QSignalSpy>
#include <QTest>
#include <QToolButton>
#include <QTreeView>

#include <algorithm>
#include <atomic>

#include "tests/ui/lens_bench.h"
#include "tests/ui/window_fixture.h"
#include "ui/models/bar_delegate.h"
#include "ui/overview/overview_map.h"
#include "ui/overview/overview_model.h"
#include "ui/overview/overview_page.h"
#include "ui/panels/model_panel.h"
#include "ui/panels/plots_page.h"
#include "ui/panels/state_page.h"
#include "ui/plots/qcustomplot.h"
#include "ui/theme.h"

using namespace calibench;

namespace {

const QString Down1 = QStringLiteral("model.layers.1.mlp.down_proj");

/// The Overview tab of its own, on the fake core.
struct Shown : test::LensBench {
    explicit Shown(CoreServices services = test::lensCore()) : LensBench(std::move(services)), page(session, controller) {
        new QAbstractItemModelTester(model(), QAbstractItemModelTester::FailureReportingMode::QtTest, &page);
        page.resize(1000, 700);
        page.show();
        page.activateWindow();
        if (!QTest::qWaitForWindowActive(&page)) qFatal("the page's window does not become active");
    }
    /// All is known and judged.
    [[nodiscard]] bool complete() {
        return QTest::qWaitFor([this] {
            const auto& rows = page.loader().modules();
            for (size_t i = 0; i < rows.size(); ++i)
                if (!page.loader().row(i) || (page.loader().row(i)->weight.sqnr_db < 20 && page.loader().row(i)->badness == 0)) return false;
            return page.loader().complete();
        }, 5000);
    }
    [[nodiscard]] QAbstractItemModel* model() const { return page.table()->model(); }
    [[nodiscard]] QString module(int row) const { return model()->index(row, 0).data(OverviewModel::ModuleRole).toString(); }
    [[nodiscard]] QVariant at(int row, MetricKind kind, int role = Qt::DisplayRole) const { return model()->index(row, OverviewModel::columnOf(kind)).data(role); }

    OverviewPage page;
};

/// Counts which modules were looked at, and holds each for a moment.
CoreServices slowCore(const std::shared_ptr<std::atomic<int>>& looked, int milliseconds) {
    CoreServices services = test::lensCore();
    services.inspectModules = [inspect = services.inspectModules, looked, milliseconds](const OverviewRequest& request, RunControl& control, const std::function<void(const ModuleOverview&, double)>& tell) {
        std::vector<ModuleOverview> all;
        for (const ResolvedModule& module : request.modules) {
            OverviewRequest one = request;
            one.modules = {module};
            QThread::msleep(static_cast<unsigned long>(milliseconds));
            const std::vector<ModuleOverview> found = inspect(one, control, {});
            all.push_back(found.front());
            ++*looked;
            if (tell) tell(found.front(), 0.5);
        }
        return all;
    };
    return services;
}

}  // namespace

class TestOverview : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void initTestCase() { installStyle(); }
    void init() { test::failOnAnyWarning(); }

    void theWorstIsFirstAndSaysWhy() {
        Shown shown;
        QVERIFY(shown.complete());
        QCOMPARE(shown.model()->rowCount(), 6);
        QCOMPARE(shown.module(0), Down1);
        QCOMPARE(shown.model()->index(0, OverviewModel::ReasonColumn).data().toString(), QStringLiteral("1 of 64 scales is 1000 times the median"));
        QCOMPARE(shown.at(0, MetricKind::Badness, BarDelegate::BarRole).toDouble(), 1.0);
        QVERIFY(shown.at(0, MetricKind::Badness, BarDelegate::AlarmRole).toBool());
        for (int row = 1; row + 1 < 6; ++row)
            QVERIFY(shown.at(row, MetricKind::Badness, OverviewModel::SortRole).toDouble() >= shown.at(row + 1, MetricKind::Badness, OverviewModel::SortRole).toDouble());
        const test::PlainInspection plain(shown.module(3).toStdString(), test::plainWeight(shown.module(3).toStdString(), test::PlainRows, test::PlainColumns), test::PlainRows,
                                          test::PlainColumns, {.num_bits = 4, .group_size = 8, .strategy = Strategy::Group});
        QCOMPARE(shown.at(3, MetricKind::Sqnr, OverviewModel::SortRole).toDouble(), plain.facts().sqnr_db);
        QVERIFY(!shown.at(3, MetricKind::OutputSqnr).isValid());  // no run
    }

    void sortsAndFilters() {
        Shown shown;
        QVERIFY(shown.complete());
        shown.page.table()->sortByColumn(OverviewModel::columnOf(MetricKind::Sqnr), Qt::AscendingOrder);
        QCOMPARE(shown.module(0), Down1);
        for (int row = 0; row + 1 < 6; ++row)
            QVERIFY(shown.at(row, MetricKind::Sqnr, OverviewModel::SortRole).toDouble() <= shown.at(row + 1, MetricKind::Sqnr, OverviewModel::SortRole).toDouble());
        auto* text = shown.page.findChild<QLineEdit*>();
        QTest::keyClicks(text, QStringLiteral("k_proj"));
        QCOMPARE(shown.model()->rowCount(), 2);
        text->clear();
        QTest::keyClicks(text, QStringLiteral("times the median"));
        QCOMPARE(shown.model()->rowCount(), 1);
        text->clear();
        shown.page.findChild<QDoubleSpinBox*>()->setValue(0);
        shown.page.findChild<QCheckBox*>()->click();  // SQNR below 0 dB
        QCOMPARE(shown.model()->rowCount(), 1);
        QCOMPARE(shown.module(0), Down1);
        shown.page.findChild<QCheckBox*>()->click();
        QCOMPARE(shown.model()->rowCount(), 6);
    }

    void filteringDoesNotSelect() {
        Shown shown;
        QVERIFY(shown.complete());
        shown.page.table()->setCurrentIndex(shown.model()->index(0, 0));
        QCOMPARE(shown.session.selectedModule(), Down1);
        QTest::keyClicks(shown.page.findChild<QLineEdit*>(), QStringLiteral("q_proj"));
        QCOMPARE(shown.session.selectedModule(), Down1);
    }

    void oneSelectionAndManyPicked() {
        Shown shown;
        QVERIFY(shown.complete());
        QCustomPlot* canvas = shown.page.map()->findChild<QCustomPlot*>();
        QTest::qWait(50);  // the map is drawn
        QTest::mouseClick(canvas, Qt::LeftButton, {}, shown.page.map()->boxOf(3).center().toPoint());  // k_proj of block 1
        QCOMPARE(shown.session.selectedModule(), QStringLiteral("model.layers.1.self_attn.k_proj"));
        QCOMPARE(shown.page.table()->currentIndex().data(OverviewModel::ModuleRole).toString(), shown.session.selectedModule());
        QCOMPARE(shown.session.pickedModules(), QStringList{shown.session.selectedModule()});
        shown.session.selectModule(Down1);
        QCOMPARE(shown.page.table()->currentIndex().row(), 0);
        shown.page.table()->setFocus();
        QTest::keyClick(shown.page.table(), Qt::Key_Down, Qt::ShiftModifier);
        QTest::keyClick(shown.page.table(), Qt::Key_Down, Qt::ShiftModifier);
        QCOMPARE(shown.session.pickedModules().size(), 3);
        QVERIFY(shown.session.pickedModules().contains(Down1));
        test::actionOf(*shown.page.table(), QStringLiteral("&Copy rows"))->trigger();
        const QStringList lines = QApplication::clipboard()->text().split(QLatin1Char('\n'), Qt::SkipEmptyParts);
        QCOMPARE(lines.size(), 4);
        QVERIFY(lines[1].startsWith(Down1 + QLatin1Char('\t')));
        QSignalSpy requested(&shown.page, &OverviewPage::errorRequested);
        QTest::keyClick(shown.page.table(), Qt::Key_Return);
        QCOMPARE(requested.size(), 1);
    }

    void fillsInAndCanBeStopped() {
        const auto looked = std::make_shared<std::atomic<int>>(0);
        Shown shown(slowCore(looked, 120));
        QTRY_VERIFY(shown.page.loader().countKnown() > 0);
        QVERIFY(shown.page.loader().busy());
        const auto bars = shown.page.findChildren<QProgressBar*>();
        QVERIFY(std::any_of(bars.begin(), bars.end(), [](const QProgressBar* bar) { return bar->isVisible() && bar->maximum() == 6; }));
        QToolButton* stop = nullptr;
        for (QToolButton* button : shown.page.findChildren<QToolButton*>())
            if (button->toolTip().startsWith(QStringLiteral("Stop looking"))) stop = button;
        QVERIFY(stop);
        stop->click();
        QTRY_VERIFY(!shown.page.loader().busy());
        const size_t known = shown.page.loader().countKnown();
        QVERIFY(known < 6);
        QCOMPARE(shown.model()->rowCount(), 6);  // the others are there, without numbers
        stop->click();
        QVERIFY(shown.complete());
        QVERIFY(looked->load() <= 7);  // the one at hand may have been looked at twice
    }

    void onlyWhatChangedIsLookedAtAgain() {
        const auto looked = std::make_shared<std::atomic<int>>(0);
        CoreServices services = slowCore(looked, 1);
        const auto eight = std::make_shared<std::atomic<bool>>(false);
        services.resolveRecipe = [resolve = services.resolveRecipe, eight](const Recipe& recipe, const ModelSummary& model) {
            ResolvedRecipe resolved = resolve(recipe, model);
            if (*eight) resolved.modules.back().scheme.weights->num_bits = 8;
            return resolved;
        };
        Shown shown(std::move(services));
        QVERIFY(shown.complete());
        QCOMPARE(looked->load(), 6);
        shown.page.hide();
        shown.page.show();
        shown.session.setRecipe(QStringLiteral("test_stage: {}  # the same\n"));
        QTRY_VERIFY(!shown.session.checkingRecipe());
        QVERIFY(shown.complete());
        QCOMPARE(looked->load(), 6);
        *eight = true;
        shown.session.setRecipe(QStringLiteral("test_stage: {}  # another\n"));
        QTRY_COMPARE(looked->load(), 7);
        QVERIFY(shown.complete());
        QVERIFY(shown.module(0) != Down1);  // with 8 bits it is none of the bad ones
        shown.run();
        QTRY_VERIFY(looked->load() >= 13);
        QVERIFY(shown.complete());
        QVERIFY2(looked->load() <= 15, qPrintable(QString::number(looked->load())));  // one at hand when the next block was finished may be looked at again
    }

    void hiddenItDoesNothing() {
        const auto looked = std::make_shared<std::atomic<int>>(0);
        test::LensBench bench(slowCore(looked, 1));
        OverviewPage page(bench.session, bench.controller);
        bench.run();
        QTest::qWait(50);
        QCOMPARE(looked->load(), 0);
        page.show();
        QTRY_COMPARE(looked->load(), 6);
    }

    void errorsAreSaidInPlace() {
        CoreServices services = test::lensCore();
        services.inspectModules = [](const OverviewRequest&, RunControl&, const auto&) -> std::vector<ModuleOverview> { throw InputError("tiny/model.safetensors is gone. Open the model again."); };
        Shown shown(std::move(services));
        QTRY_COMPARE(shown.page.findChild<StatePage*>()->sentence(), QStringLiteral("tiny/model.safetensors is gone. Open the model again."));
    }

    void mapColoursBlocksByProjection() {
        Shown shown;
        QVERIFY(shown.complete());
        OverviewMap* map = shown.page.map();
        QTRY_VERIFY(!map->table().rows.isEmpty());
        QCOMPARE(map->table().rows.size(), 6);
        QVERIFY(map->readoutOf(5).startsWith(Down1));
        QVERIFY(map->readoutOf(5).contains(QStringLiteral("1 of 64 scales")));
        shown.page.findChild<QComboBox*>()->setCurrentIndex(static_cast<int>(MetricKind::Outliers));
        QTest::qWait(20);
        QCOMPARE(map->table().header.last(), QStringLiteral("Outliers in ×"));
        QCOMPARE(map->table().rows[0].last(), QStringLiteral("4"));
    }

    void barsArePaintedInBothThemes() {
        Shown shown;
        QVERIFY(shown.complete());
        for (const QPalette& palette : {lightPalette(), darkPalette()}) {
            shown.page.setPalette(palette);
            const QModelIndex cell = shown.model()->index(0, OverviewModel::columnOf(MetricKind::Badness));
            shown.page.table()->scrollTo(cell);
            const QRect rect = shown.page.table()->visualRect(cell);
            const QImage picture = shown.page.table()->viewport()->grab(rect).toImage();
            QVERIFY(picture.pixelColor(6, rect.height() / 2) != palette.color(QPalette::Base));
        }
    }

    void theWholeWindowSelectsAsOne() {
        test::WindowFolder folder;
        test::TestWindow w(folder.path(), test::lensCore());
        test::openAll(w, folder);
        w->plots()->setCurrentTab(PlotsPage::Overview);
        OverviewPage* page = w->plots()->overviewPage();
        QTRY_VERIFY(page->loader().complete());
        QTRY_COMPARE(page->table()->model()->index(0, 0).data(OverviewModel::ModuleRole).toString(), Down1);  // rows find their places a turn later
        auto* tree = w.window->findChild<ModelPanel*>();
        page->table()->setCurrentIndex(page->table()->model()->index(2, 0));
        QCOMPARE(w->session().selectedModule(), page->table()->currentIndex().data(OverviewModel::ModuleRole).toString());
        QCOMPARE(tree->selectedModules(), QStringList{w->session().selectedModule()});
        page->table()->setFocus();
        QTest::keyClick(page->table(), Qt::Key_Down, Qt::ShiftModifier);
        QTest::keyClick(page->table(), Qt::Key_Down, Qt::ShiftModifier);
        QCOMPARE(w->session().pickedModules().size(), 3);
        QCOMPARE(tree->selectedModules(), w->session().pickedModules());
        QCOMPARE(page->table()->selectionModel()->selectedRows().size(), 3);
        w->session().selectModule(w->session().pickedModules().front());  // one of them, from a plot
        QCOMPARE(tree->selectedModules(), w->session().pickedModules());
        page->findChild<QLineEdit*>()->setText(QStringLiteral("down_proj"));
        w->session().selectModule(QStringLiteral("model.layers.0.self_attn.q_proj"));  // which the filter hides
        page->table()->selectAll();
        QCOMPARE(w->session().pickedModules(), (QStringList{QStringLiteral("model.layers.0.mlp.down_proj"), Down1}));
        QCOMPARE(w->session().selectedModule(), Down1);  // the worst of them
        QCOMPARE(page->table()->selectionModel()->selectedRows().size(), 2);
        tree->filter()->setText(QStringLiteral("re:.*k_proj"));
        tree->filter()->clear();
        QCOMPARE(tree->selectedModules(), w->session().pickedModules());
        tree->filter()->setText(QStringLiteral("re:.*k_proj"));
        tree->tree()->selectAll();
        QCOMPARE(w->session().pickedModules().size(), 2);
        Q_EMIT page->errorRequested();
        QCOMPARE(w->plots()->currentTab(), int(PlotsPage::Error));
    }
};

QTEST_MAIN(TestOverview)
#include "tst_overview.moc"
