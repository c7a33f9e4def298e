#include <QAbstractItemModelTester>
#include <QApplication>
#include <QClipboard>
#include <QComboBox>
#include <QPushButton>
#include <QSignalSpy>
#include <QTest>
#include <QTreeView>

#include <atomic>
#include <numeric>

#include "tests/ui/lens_bench.h"
#include "ui/lens/channel_list.h"
#include "ui/lens/error_page.h"
#include "ui/lens/error_split.h"
#include "ui/lens/map_plot.h"
#include "ui/lens/readings.h"
#include "ui/panels/state_page.h"
#include "ui/plots/plot_view.h"
#include "ui/plots/qcustomplot.h"
#include "ui/theme.h"

using namespace calibench;
using test::PlainInspection;

namespace {

const QString Q0 = QStringLiteral("model.layers.0.self_attn.q_proj");
const QString Down1 = QStringLiteral("model.layers.1.mlp.down_proj");

QCustomPlot* canvasOf(const QWidget& plot) { return plot.findChild<QCustomPlot*>(); }

/// The Error tab of its own, on the fake core.
struct Shown : test::LensBench {
    explicit Shown(CoreServices services = test::lensCore()) : LensBench(std::move(services)), page(session, controller) {
        page.resize(1100, 800);
        page.show();
        page.activateWindow();
        if (!QTest::qWaitForWindowActive(&page)) qFatal("the page's window does not become active");
    }
    void select(const QString& module) {
        session.selectModule(module);
        settle();
    }
    void settle() {
        if (!QTest::qWaitFor([this] { return page.settled(); }, 5000)) qFatal("the page does not settle");
        QCoreApplication::processEvents();
    }
    [[nodiscard]] StatePage* state() const { return page.findChild<StatePage*>(); }
    [[nodiscard]] QPushButton* shownButton() const {
        for (auto* button : page.findChildren<QPushButton*>())
            if (button->isVisible()) return button;
        return nullptr;
    }
    [[nodiscard]] QString sentence() const { return state()->sentence(); }

    ErrorPage page;
};

PlainInspection plain(const QString& module, const QuantizationArgs& args = {.num_bits = 4, .group_size = 8, .strategy = Strategy::Group}) {
    return {module.toStdString(), test::plainWeight(module.toStdString(), test::PlainRows, test::PlainColumns), test::PlainRows, test::PlainColumns, args};
}

/// 1200 x 1500 with one value that is wrong.
Slide large(int64_t row, int64_t column) {
    std::vector<float> weight(1200 * 1500);
    for (size_t i = 0; i < weight.size(); ++i) weight[i] = static_cast<float>(0.01 * std::sin(0.01 * static_cast<double>(i)));
    weight[static_cast<size_t>(row * 1500 + column)] = 40;  // its group's scale swallows the neighbours
    return {Slide::Kind::Rounded, std::make_shared<PlainInspection>("large", std::move(weight), 1200, 1500, QuantizationArgs{.num_bits = 3, .group_size = 50, .strategy = Strategy::Group})};
}

double largestError(const WeightInspection& weight, const Extent& part) {
    double largest = 0;
    for (int64_t r = part.row; r < part.row + part.rows; ++r)
        for (int64_t c = part.column; c < part.column + part.columns; ++c)
            largest = std::max(largest, std::abs(static_cast<const PlainInspection&>(weight).at(WeightLayer::Error, r, c)));
    return largest;
}

}  // namespace

class TestLens : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void initTestCase() { installStyle(); }
    void init() { test::failOnAnyWarning(); }

    void aNewerQuestionTakesThePlaceOfTheOneThatWaits() {
        LatestTask task;
        std::atomic<int> worked = 0;
        QList<int> answered;
        for (int i = 0; i < 100; ++i)
            task.ask([i, &worked] { ++worked; QThread::msleep(20); return i; }, [&](const Outcome<int>& outcome) { answered << *outcome.value; });
        QTRY_VERIFY(!task.busy());
        QCOMPARE(answered, QList<int>({0, 99}));
        QCOMPARE(worked.load(), 2);
        task.ask([] { return 1; }, [&](const Outcome<int>&) { answered << -1; });
        task.forget();
        QTRY_VERIFY(!task.busy());
        QCOMPARE(answered.size(), 2);
    }

    void numbersAreThoseOfPlainLoops() {
        Shown shown;
        shown.select(Q0);
        QVERIFY(shown.state()->showsContent());
        const PlainInspection expected = plain(Q0);
        const WeightFacts& facts = expected.facts();
        QCOMPARE(shown.page.readings()->text(QStringLiteral("SQNR"), 0), formatNumber(facts.sqnr_db) + QStringLiteral(" dB"));
        QCOMPARE(shown.page.readings()->text(QStringLiteral("Largest error"), 0), formatNumber(facts.max_abs_error));

        const ValueDistribution& weights = shown.page.histograms()->distribution(HistogramPlot::Weights);
        const auto& counts = weights.histogram.counts;
        QCOMPARE(std::accumulate(counts.begin(), counts.end(), int64_t{0}), test::PlainRows * test::PlainColumns);
        QCOMPARE(weights.grids.size(), 1u);
        QCOMPARE(weights.grids[0].levels, expected.levels(facts.max_error_row, facts.max_error_column));

        const MapCells* cells = shown.page.map()->cells(0);
        QCOMPARE(cells->detail().values.size(), size_t(test::PlainRows * test::PlainColumns));
        for (int64_t r = 0; r < facts.rows; ++r)
            for (int64_t c = 0; c < facts.columns; ++c)
                QCOMPARE(cells->detail().values[static_cast<size_t>(r * facts.columns + c)], static_cast<float>(expected.at(WeightLayer::Error, r, c)));
        const auto& channels = shown.page.channels()->model()->channels();
        QTRY_COMPARE(channels.size(), size_t(test::PlainRows));
        QCOMPARE(channels.front().index, expected.worst_rows(1).front().index);
    }

    void reachCoversEveryGroup() {
        for (const bool symmetric : {true, false}) {
            const PlainInspection weight = plain(Q0, {.num_bits = 4, .symmetric = symmetric, .group_size = 8, .strategy = Strategy::Group});
            double low = 0, high = 0;
            for (int64_t r = 0; r < test::PlainRows; ++r)
                for (int64_t c = 0; c < test::PlainColumns; c += 8) {
                    const std::vector<double> levels = weight.levels(r, c);
                    low = std::min(low, levels.front() - (levels[1] - levels[0]) / 2);
                    high = std::max(high, levels.back() + (levels[1] - levels[0]) / 2);
                }
            const auto reach = reachOfAllGroups(weight);
            QVERIFY(reach && std::abs(reach->low - low) < 1e-6 && std::abs(reach->high - high) < 1e-6);
        }
    }

    void largestErrorIsSeenAtEveryZoom() {
        const Slide slide = large(777, 1234);
        MapPlot map;
        map.resize(500, 400);
        map.show();
        QSignalSpy arrived(&map, &MapPlot::tilesArrived);
        map.setSlides({slide});
        QVERIFY(arrived.wait());
        QVERIFY(map.cells(0)->detail().values.size() < 1200u * 1500u / 4);  // reduced
        QCustomPlot* canvas = canvasOf(map);
        QCPAxis *x = canvas->axisRect(0)->axis(QCPAxis::atBottom), *y = canvas->axisRect(0)->axis(QCPAxis::atLeft);
        const WeightFacts& facts = slide.weight->facts();
        for (double width = 1500; width > 3; width /= 2.7) {
            x->setRange(static_cast<double>(facts.max_error_column) - width / 3, static_cast<double>(facts.max_error_column) + width / 2);
            y->setRange(static_cast<double>(facts.max_error_row) - width / 2, static_cast<double>(facts.max_error_row) + width / 3);
            if (width < 1500) QVERIFY(arrived.wait());
            QTRY_VERIFY(!map.busy());
            const auto cell = map.cells(0)->largest();
            QVERIFY(cell.has_value());
            const Extent at = extentOf(map.cells(0)->detail(), *cell);
            QVERIFY(facts.max_error_row >= at.row && facts.max_error_row < at.row + at.rows && facts.max_error_column >= at.column && facts.max_error_column < at.column + at.columns);
            QCOMPARE(std::abs(map.cells(0)->detail().values[static_cast<size_t>(*cell)]), static_cast<float>(facts.max_abs_error));
            QCOMPARE(static_cast<float>(largestError(*slide.weight, map.seen())), static_cast<float>(facts.max_abs_error));
            canvas->replot();
            // And its colour is that of the end of the scale.
            const QRectF box = map.cells(0)->boxOf(at) & QRectF(canvas->axisRect(0)->rect());
            const QColor seen = canvas->toPixmap().toImage().pixelColor(static_cast<int>(box.center().x()), static_cast<int>(box.center().y()));
            const QColor ends[] = {diverging(PlotTheme::fromPalette(map.palette())).color(0, QCPRange(0, 1)), diverging(PlotTheme::fromPalette(map.palette())).color(1, QCPRange(0, 1))};
            if (width > 40) QVERIFY2(seen == ends[0] || seen == ends[1], qPrintable(seen.name()));  // closer, its value is written there
        }
    }

    void hoverAndCopyHaveEveryDigit() {
        Shown shown;
        shown.select(Q0);
        MapPlot* map = shown.page.map();
        const PlainInspection expected = plain(Q0);
        const int spot = 5 * static_cast<int>(test::PlainColumns) + 3;
        const QString readout = map->readoutAt(map->boxOf(spot).center());
        QVERIFY2(readout.contains(QStringLiteral("Row 5, column 3")), qPrintable(readout));
        QVERIFY(readout.contains(formatExact(static_cast<float>(expected.at(WeightLayer::Error, 5, 3)))));
        QVERIFY(readout.contains(formatExact(static_cast<float>(expected.at(WeightLayer::Weight, 5, 3)))));
        test::actionOf(*map, QStringLiteral("Copy as table"))->trigger();
        const QStringList lines = QApplication::clipboard()->text().split(QLatin1Char('\n'));
        QCOMPARE(lines.size(), 2 + test::PlainRows * test::PlainColumns);
        QCOMPARE(lines[1 + spot].split(QLatin1Char('\t')).last().toDouble(), static_cast<double>(static_cast<float>(expected.at(WeightLayer::Error, 5, 3))));
    }

    void clickPicksAGroupWhoseLevelsAreTheTicks() {
        Shown shown;
        shown.select(Q0);
        MapPlot* map = shown.page.map();
        QTest::mouseClick(canvasOf(*map), Qt::LeftButton, {}, map->boxOf(7 * static_cast<int>(test::PlainColumns) + 9).center().toPoint());
        shown.settle();
        shown.page.histograms()->setScope(HistogramPlot::Scope::Group);
        shown.settle();
        const ValueDistribution& weights = shown.page.histograms()->distribution(HistogramPlot::Weights);
        QCOMPARE(weights.grids[0].levels, plain(Q0).levels(7, 9));
        QCOMPARE(std::accumulate(weights.histogram.counts.begin(), weights.histogram.counts.end(), int64_t{0}), 8);
    }

    void histogramOfWhatIsInSightFollowsTheMap() {
        Shown shown;
        shown.select(Q0);
        shown.page.histograms()->setScope(HistogramPlot::Scope::InSight);
        QCPAxisRect* panel = canvasOf(*shown.page.map())->axisRect(0);
        panel->axis(QCPAxis::atLeft)->setRange(-0.5, 3.5);
        panel->axis(QCPAxis::atBottom)->setRange(-0.5, 7.5);
        const auto counted = [&] {
            const auto& counts = shown.page.histograms()->distribution(HistogramPlot::Weights).histogram.counts;
            return std::accumulate(counts.begin(), counts.end(), int64_t{0});
        };
        QTRY_COMPARE(counted(), 32);
    }

    void channelsZoomTheMap() {
        Shown shown;
        shown.select(Q0);
        ChannelList* list = shown.page.channels();
        new QAbstractItemModelTester(list->model(), list);
        QTRY_VERIFY(list->model()->rowCount() > 0);
        list->view()->setCurrentIndex(list->model()->index(0, 0));
        QTest::mouseClick(list->view()->viewport(), Qt::LeftButton, {}, list->view()->visualRect(list->model()->index(0, 0)).center());
        const Extent rows = shown.page.map()->seen();
        const int64_t worst = list->model()->channels().front().index;
        QVERIFY(worst >= rows.row && worst < rows.row + rows.rows && rows.rows < test::PlainRows && rows.columns == test::PlainColumns);
        list->showColumns(true);
        QTRY_COMPARE(list->model()->rowCount(), int(test::PlainColumns));
        QTest::keyClick(list->view(), Qt::Key_Down);
        list->view()->setFocus();
        QTest::keyClick(list->view(), Qt::Key_Return);
        QCOMPARE(shown.page.map()->seen().rows, test::PlainRows);
    }

    void beforeAndAfterARunStandSideBySideAndZoomAsOne() {
        Shown shown;
        shown.select(Q0);
        QCOMPARE(shown.page.microscope().slides().size(), 1u);
        QCOMPARE(canvasOf(*shown.page.map())->axisRectCount(), 1);
        QVERIFY(!shown.page.microscope().input());
        QVERIFY(!shown.page.readings()->split()->localShare());
        shown.run();
        shown.settle();
        const std::vector<Slide> slides = shown.page.microscope().slides();
        QCOMPARE(slides.size(), 2u);
        QCOMPARE(slides[0].kind, Slide::Kind::Rounded);
        QCOMPARE(slides[1].kind, Slide::Kind::Left);
        QVERIFY(shown.page.microscope().input() && shown.page.microscope().inputNow().answer);
        QCOMPARE(shown.page.readings()->split()->localShare(), std::optional(0.5));
        QCOMPARE(shown.page.readings()->text(QStringLiteral("Inputs"), 0), QStringLiteral("48.2 ± 0.25 dB"));
        const auto& inputs = shown.page.histograms()->distribution(HistogramPlot::Inputs);
        QCOMPARE(std::accumulate(inputs.histogram.counts.begin(), inputs.histogram.counts.end(), int64_t{0}), 1000);
        QCOMPARE(inputs.grids.size(), 1u);
        QCOMPARE(inputs.grids[0].levels.size(), 256u);

        QCustomPlot* canvas = canvasOf(*shown.page.map());
        QCOMPARE(canvas->axisRectCount(), 2);
        canvas->axisRect(1)->axis(QCPAxis::atBottom)->setRange(2.5, 9.5);
        QCOMPARE(canvas->axisRect(0)->axis(QCPAxis::atBottom)->range().lower, 2.5);
        QTRY_VERIFY(shown.page.settled());
        QCOMPARE(shown.page.map()->cells(1)->detail().covers.column, 3);
    }

    void whatAnotherModuleNeededIsReleased() {
        Shown shown;
        shown.select(Q0);
        std::weak_ptr<const WeightInspection> held = shown.page.microscope().slides()[0].weight;
        QVERIFY(!held.expired());
        shown.select(Down1);
        QTRY_VERIFY(held.expired());
        held = shown.page.microscope().slides()[0].weight;
        shown.page.hide();
        QVERIFY(!held.expired());  // it is still the selected one
        shown.session.selectModule(Q0);
        QTRY_VERIFY(held.expired());
    }

    void everyStateSaysWhatToDo() {
        CoreServices services = test::lensCore();
        services.inspectWeight = [inspect = services.inspectWeight](WeightRequest request) {
            if (request.module.ends_with("k_proj")) request.module = "broken";
            return inspect(request);
        };
        Shown shown(std::move(services));
        QVERIFY(shown.sentence().startsWith(QStringLiteral("Choose a module")));
        shown.select(QStringLiteral("model.layers.1"));
        QPushButton* button = shown.shownButton();
        QVERIFY(button);
        QCOMPARE(button->text(), QStringLiteral("Show model.layers.1.self_attn.q_proj"));
        button->click();
        shown.settle();
        QCOMPARE(shown.session.selectedModule(), QStringLiteral("model.layers.1.self_attn.q_proj"));
        QVERIFY(shown.state()->showsContent());
        shown.select(QStringLiteral("model.layers.1.self_attn.k_proj"));
        QVERIFY(!shown.state()->showsContent());
        QVERIFY(shown.sentence().startsWith(QStringLiteral("broken: the weight lies beyond")));
        shown.select(QStringLiteral("lm_head"));
        QVERIFY2(shown.sentence().contains(QStringLiteral("does not quantize it")), qPrintable(shown.sentence()));
    }

    void keysMoveZoomAndPan() {
        Shown shown;
        shown.select(Q0);
        MapPlot* map = shown.page.map();
        QCustomPlot* canvas = canvasOf(*map);
        canvas->setFocus();
        QTest::keyClick(canvas, Qt::Key_Right);
        QCOMPARE(map->pointedSpot(), 0);
        QTest::keyClick(canvas, Qt::Key_Down);
        QCOMPARE(map->pointedSpot(), int(test::PlainColumns));
        QTest::keyClick(canvas, Qt::Key_Plus);
        QVERIFY(map->seen().rows < test::PlainRows && map->seen().columns < test::PlainColumns);
        const Extent zoomed = map->seen();
        QTest::keyClick(canvas, Qt::Key_Down, Qt::ShiftModifier);
        QVERIFY(map->seen().row > zoomed.row);
        QTest::keyClick(canvas, Qt::Key_Right, Qt::ShiftModifier);
        QVERIFY(map->seen().column > zoomed.column);
        QTest::keyClick(canvas, Qt::Key_Home);
        QCOMPARE(map->seen().rows, test::PlainRows);
    }

    void anEmptyHistogramFollowsTheTheme() {
        HistogramPlot plot;
        plot.resize(300, 200);
        plot.setPalette(lightPalette());
        const QImage light = plot.grab().toImage();
        plot.setPalette(darkPalette());
        plot.show(HistogramPlot::Weights, ValueDistribution{});
        const QImage dark = plot.grab().toImage();
        QVERIFY(light.pixelColor(light.width() / 2, light.height() - 2).lightness() > 200);
        QVERIFY(dark.pixelColor(dark.width() / 2, dark.height() - 2).lightness() < 60);
    }

    void themesAndNames() {
        Shown shown;
        shown.select(Q0);
        for (const QPalette& palette : {darkPalette(), lightPalette()}) {
            shown.page.setPalette(palette);
            QTRY_COMPARE(canvasOf(*shown.page.map())->grab().toImage().pixelColor(3, 3), palette.color(QPalette::Base));
        }
        for (const QWidget* widget : std::initializer_list<QWidget*>{shown.page.map(), shown.page.histograms(), canvasOf(*shown.page.map()), canvasOf(*shown.page.histograms())})
            QVERIFY(!widget->accessibleName().isEmpty());
        for (const QComboBox* box : shown.page.findChildren<QComboBox*>()) QVERIFY(!box->accessibleName().isEmpty() && !box->toolTip().isEmpty());
    }
};

QTEST_MAIN(TestLens)
#include "tst_lens.moc"
