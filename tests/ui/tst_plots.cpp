#include <QComboBox>
#include <QSet>
#include <QTest>

#include <cmath>
#include <limits>

#include "tests/ui/fixtures.h"
#include "ui/plots/loss_curves.h"
#include "ui/plots/loss_plot.h"
#include "ui/plots/plot_theme.h"
#include "ui/plots/range_bars.h"
#include "ui/plots/range_plot.h"
#include "ui/plots/scales.h"
#include "ui/plots/series_store.h"
#include "ui/plots/token_cells.h"
#include "ui/plots/token_grid.h"
#include "ui/plots/token_plot.h"
#include "ui/theme.h"

using namespace calibench;

namespace {

constexpr double NaN = std::numeric_limits<double>::quiet_NaN();

QCustomPlot* canvasOf(const QWidget& plot) { return plot.findChild<QCustomPlot*>(); }

template <typename Plottable>
QList<Plottable*> plottables(QCustomPlot* canvas) {
    QList<Plottable*> found;
    for (int i = 0; i < canvas->plottableCount(); ++i)
        if (auto* plottable = dynamic_cast<Plottable*>(canvas->plottable(i))) found << plottable;
    return found;
}

}  // namespace

class TestPlots : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void init() { test::failOnAnyWarning(); }

    void decimationKeepsPeaksEndsAndOrder() {
        SeriesStore store;
        for (int i = 0; i < 100'000; ++i) store.append(i, std::sin(i * 0.01));
        store.append(100'000, 50);  // one peak among a hundred thousand
        store.append(100'001, 0);
        const auto points = store.decimated(0, 100'001, 500);
        QVERIFY2(points.size() <= 4 * 501, qPrintable(QString::number(points.size())));
        QCOMPARE(points.front(), store.points().front());
        QCOMPARE(points.back(), store.points().back());
        QVERIFY(std::is_sorted(points.begin(), points.end(), [](const auto& a, const auto& b) { return a.x < b.x; }));
        QVERIFY(std::any_of(points.begin(), points.end(), [](const auto& p) { return p.y == 50; }));
    }

    void decimationOfAWindowTakesOneNeighbourOnEachSide() {
        SeriesStore store;
        for (int i = 0; i < 10; ++i) store.append(i, i);
        const auto points = store.decimated(3.5, 6.5, 1000);
        QCOMPARE(points.size(), 5u);
        QCOMPARE(points.front().x, 3.0);
        QCOMPARE(points.back().x, 7.0);
        QVERIFY(SeriesStore().decimated(0, 1, 10).empty());
    }

    void decimationBreaksTheLineAtNaN() {
        SeriesStore store;
        for (int i = 0; i < 1000; ++i) store.append(i, i == 500 ? NaN : i == 501 ? std::numeric_limits<double>::infinity() : 1.0);
        const auto points = store.decimated(0, 999, 10);
        QCOMPARE(std::count_if(points.begin(), points.end(), [](const auto& p) { return std::isnan(p.y); }), 2);
    }

    void symlogMapsBackAndStaysPlainForSmallSpans() {
        QVERIFY(!Symlog::forMagnitudes({0.1, 5, 90}).active());
        const Symlog scale = Symlog::forMagnitudes({2e-4, 300});
        QVERIFY(scale.active());
        for (const double value : {-300.0, -0.01, 0.0, 2e-4, 42.0}) QVERIFY(std::abs(scale.unmap(scale.map(value)) - value) < 1e-9 * (1 + std::abs(value)));
        QVERIFY(scale.map(-1) < scale.map(-0.1) && scale.map(0.1) < scale.map(1));
        QCOMPARE(scale.map(0), 0.0);
        QVERIFY(!Symlog::forMagnitudes({}).active());
    }

    void mergedBarsKeepTheExtremes() {
        const auto merged = mergePerColumn({{.key = 0.1, .min = -1, .max = 2, .low = -0.5, .high = 1},
                                            {.key = 0.2, .min = -3, .max = 1, .low = -0.7, .high = 0.5, .moving = true},
                                            {.key = 1.1, .min = 0, .max = 1}},
                                           1.0);
        QCOMPARE(merged.size(), 2u);
        QCOMPARE(merged[0].min, -3.0);
        QCOMPARE(merged[0].max, 2.0);
        QCOMPARE(merged[0].low, -0.7);
        QVERIFY(merged[0].moving);
        QCOMPARE(mergePerColumn({{.key = 0.1}, {.key = 0.2}}, 100).size(), 2u);
    }

    void rangesAreBarsByProjection() {
        const ModelSummary model = test::denseModel(2);
        RunRecord record;
        record.begin(model);
        RangePlot plot(record);
        show(plot);
        RunSnapshot snapshot;
        snapshot.started = test::startOf(model);
        snapshot.ranges = {{.block = 0, .module = "model.layers.0.self_attn.q_proj", .tap = Tap::Weight, .min = -0.5, .max = 0.75, .p001 = -0.25, .p999 = 0.25},
                           {.block = 1, .module = "model.layers.1.self_attn.q_proj", .tap = Tap::Weight, .min = -0.125, .max = 0.125, .p001 = -0.1, .p999 = 0.1},
                           {.block = 0, .module = "model.layers.0.self_attn.q_proj", .tap = Tap::Input, .min = -8, .max = 16, .p001 = -2, .p999 = 2},
                           {.block = 1, .module = "model.layers.1.mlp.down_proj", .tap = Tap::Weight, .min = NaN, .max = 1}};
        record.apply(snapshot);
        plot.applySnapshot(snapshot);

        const auto bars = plottables<RangeBars>(canvasOf(plot));
        QCOMPARE(bars.size(), 2 * 3);  // q, k, down for weights and for inputs; lm_head is left alone
        QCOMPARE(bars[0]->name(), QStringLiteral("q_proj"));
        QCOMPARE(bars[0]->bars().size(), 2u);
        QCOMPARE(bars[0]->bars()[0].max, 0.75);
        QVERIFY(bars[0]->bars()[0].moving);
        QVERIFY(bars[0]->bars()[0].fresh);  // pale at first
        QTRY_VERIFY(!bars[0]->bars()[0].fresh);
        QVERIFY(bars[0]->bars()[0].moving);
        QVERIFY(bars[0]->bars()[0].key < bars[0]->bars()[1].key);
        const QCPRange shown = bars[0]->valueAxis()->range();
        QVERIFY(shown.lower < -0.5 && shown.upper > 0.75 && shown.upper < 2);  // the NaN does not stretch the axis

        RunSnapshot quiet;
        record.apply(quiet);
        plot.applySnapshot(quiet);
        QVERIFY(!bars[0]->bars()[0].moving);

        const QPointF pixel(bars[0]->keyAxis()->coordToPixel(bars[0]->bars()[0].key), bars[0]->valueAxis()->coordToPixel(0.1));
        QVERIFY2(plot.readoutAt(pixel).contains(QStringLiteral("-0.5 … 0.75")), qPrintable(plot.readoutAt(pixel)));
        QVERIFY(plot.readoutAt(pixel).contains(QStringLiteral("-8 … 16")));
    }

    void lossShowsTheBlockAtWorkAndItsBest() {
        const ModelSummary model = test::denseModel(3);
        RunRecord record;
        record.begin(model);
        LossPlot plot(record);
        show(plot);
        QCOMPARE(plot.shownBlock(), -1);
        RunSnapshot first;
        first.started = test::startOf(model, 4);
        first.blocksStarted = {{.block = 0, .name = "model.layers.0"}};
        const double losses[] = {4e-5, 3e-5, 3.5e-5, 2.5e-5};
        for (int i = 0; i < 4; ++i) first.losses.push_back({.block = 0, .iteration = i, .loss_mse = losses[i], .best = i != 2});
        first.blocksFinished = {{.block = 0, .initial_loss_mse = 4e-5, .best_loss_mse = 2.5e-5, .best_iteration = 3}};
        record.apply(first);
        plot.applySnapshot(first);
        QCOMPARE(plot.shownBlock(), 0);

        RunSnapshot second;
        second.blocksStarted = {{.block = 1, .name = "model.layers.1"}};
        second.losses = {{.block = 1, .iteration = 0, .loss_mse = 1e-4, .best = true}, {.block = 1, .iteration = 1, .loss_mse = NaN}};
        record.apply(second);
        plot.applySnapshot(second);
        QCOMPARE(plot.shownBlock(), 1);

        using Role = LossCurves::Line::Role;
        const auto lines = plottables<LossCurves>(canvasOf(plot)).at(0)->lines();
        QCOMPARE(lines.size(), 2u);
        QCOMPARE(lines[0].block, 0);
        QCOMPARE(lines[0].role, Role::Behind);  // the finished curve stays
        QCOMPARE(lines[1].block, 1);
        QCOMPARE(lines[1].role, Role::Newest);
        plot.showBlock(0);
        QCOMPARE(plot.shownBlock(), 0);
        plot.follow();
        QCOMPARE(plot.shownBlock(), 1);
        plot.showBlock(2);  // nothing there yet: the newest instead
        QCOMPARE(plot.shownBlock(), 1);
    }

    void attemptsAreCurvesOfTheirOwnAndTheKeptOneCounts() {
        const ModelSummary model = test::denseModel(2);
        RunRecord record;
        record.begin(model);
        LossPlot plot(record);
        show(plot);
        RunSnapshot snapshot;
        snapshot.started = test::startOf(model, 3);
        for (int i = 0; i < 3; ++i) snapshot.losses.push_back({.block = 0, .iteration = i, .loss_mse = 4e-9 / (i + 1), .best = true});
        snapshot.blocksRedone = {{.block = 0, .attempt = 1, .iters = 5, .lr = 0.01, .changes = "iters 3 -> 5"}};
        for (int i = 0; i < 5; ++i) snapshot.losses.push_back({.block = 0, .iteration = i, .loss_mse = 8e-9 / (i + 1), .best = true, .attempt = 1});
        record.apply(snapshot);
        plot.applySnapshot(snapshot);

        using Role = LossCurves::Line::Role;
        const auto* curves = plottables<LossCurves>(canvasOf(plot)).at(0);
        QCOMPARE(curves->lines().size(), 2u);
        QCOMPARE(curves->lines()[0].role, Role::Earlier);
        QVERIFY(!curves->lines()[0].counts);
        QCOMPARE(curves->lines()[1].role, Role::Newest);
        QVERIFY(curves->lines()[1].counts);

        snapshot = {};
        snapshot.blocksFinished = {{.block = 0, .initial_loss_mse = 4e-9, .best_loss_mse = 4e-9 / 3, .best_iteration = 2, .attempts = 2, .kept_attempt = 0}};
        record.apply(snapshot);
        plot.applySnapshot(snapshot);
        QVERIFY(curves->lines()[0].counts);
        QVERIFY(!curves->lines()[1].counts);
        QVERIFY2(plot.readoutOf(0).contains(QStringLiteral("2 attempts, number 1 kept")), qPrintable(plot.readoutOf(0)));
        QCOMPARE(plot.table().rows.size(), 8);  // every iteration of both
    }

    void smallLossesKeepTheirDigits() {
        RunRecord record;
        record.begin(test::denseModel(1));
        LossPlot plot(record);
        show(plot);
        RunSnapshot snapshot;
        snapshot.losses = {{.block = 0, .iteration = 0, .loss_mse = 1.23456789012e-9, .best = true}, {.block = 0, .iteration = 1, .loss_mse = 1e-9, .best = true}};
        record.apply(snapshot);
        plot.applySnapshot(snapshot);
        QVERIFY2(plot.readoutOf(1).contains(QStringLiteral("1.23456789012e-9")), qPrintable(plot.readoutOf(1)));
        auto* scale = plot.findChild<QComboBox*>();
        QCPAxis* axis = canvasOf(plot)->axisRect(1)->axis(QCPAxis::atLeft);
        for (const int index : {0, 1}) {  // logarithmic, linear
            scale->setCurrentIndex(index);
            canvasOf(plot)->replot();
            QCOMPARE(axis->scaleType(), index == 0 ? QCPAxis::stLogarithmic : QCPAxis::stLinear);
            QVERIFY(axis->range().lower < 1e-9 && axis->range().upper > 1.2345e-9 && axis->range().upper < 1e-8);
            const QVector<QString> labels = axis->tickVectorLabels();
            QVERIFY(labels.size() >= 2);
            QCOMPARE(QSet<QString>(labels.begin(), labels.end()).size(), labels.size());  // no two ticks look the same
            for (const QString& label : labels) QVERIFY2(label.endsWith(QStringLiteral("e-9")) || label.endsWith(QStringLiteral("e-10")), qPrintable(label));
        }
    }

    void expertsBelowATenthOfTheMeanStarve() {
        const ModelSummary model = test::moeModel();
        RunRecord record;
        record.begin(model);
        QCOMPARE(record.numExperts(), 4);
        RunSnapshot snapshot;
        snapshot.started = test::startOf(model);
        const int64_t counts[] = {400, 300, 290, 10};
        for (int expert = 0; expert < 4; ++expert)
            snapshot.tokens.push_back({.block = 0, .module = "model.layers.0.mlp.experts." + std::to_string(expert) + ".up_proj", .expert = expert, .tokens = counts[expert]});
        record.apply(snapshot);
        const TokenGrid grid = TokenGrid::of(record);
        QCOMPARE(grid.blockTotals[0], 1000);
        QCOMPARE(grid.expertTotals[3], 10);
        QCOMPARE(grid.at(0, 3), 10);
        QCOMPARE(grid.at(1, 0), TokenGrid::Unknown);
        QVERIFY(grid.starved(0, 3, 10));
        QVERIFY(!grid.starved(0, 2, 10));
        QVERIFY(!grid.starved(1, 0, 10));  // unknown is not starved

        TokenPlot plot(record);
        show(plot);
        const auto maps = plottables<QCPColorMap>(canvasOf(plot));
        QCOMPARE(maps.size(), 1);
        QVERIFY(maps[0]->visible());
        QCOMPARE(maps[0]->data()->cell(0, 0), 400.0);
        const QPointF pixel(maps[0]->keyAxis()->coordToPixel(3), maps[0]->valueAxis()->coordToPixel(0));
        QVERIFY2(plot.readoutAt(pixel).contains(QStringLiteral("10 tokens, 1.00 %")), qPrintable(plot.readoutAt(pixel)));
    }

    void denseTokensAreALine() {
        const ModelSummary model = test::denseModel(2);
        RunRecord record;
        record.begin(model);
        RunSnapshot snapshot;
        snapshot.tokens = {{.block = 0, .module = "model.layers.0.self_attn.q_proj", .tokens = 2048}};
        record.apply(snapshot);
        TokenPlot plot(record);
        show(plot);
        QVERIFY(!plottables<QCPColorMap>(canvasOf(plot)).at(0)->visible());
        const QCPGraph* line = canvasOf(plot)->graph(0);
        QCOMPARE(line->dataCount(), 7);
        QCOMPARE(line->data()->at(0)->value, 2048.0);
        QVERIFY(std::isnan(line->data()->at(1)->value));
    }

    void hiddenPlotsCatchUpWhenShown() {
        const ModelSummary model = test::denseModel(1);
        RunRecord record;
        record.begin(model);
        LossPlot plot(record);
        RunSnapshot snapshot;
        snapshot.losses = {{.block = 0, .iteration = 0, .loss_mse = 1, .best = true}};
        record.apply(snapshot);
        plot.applySnapshot(snapshot);
        const QCPAxis* axis = canvasOf(plot)->axisRect(1)->axis(QCPAxis::atLeft);
        QVERIFY(!axis->range().contains(1) || axis->range().upper > 2);
        show(plot);
        QVERIFY(axis->range().contains(1) && axis->range().upper < 2);
    }

    void themeFollowsThePalette() {
        RunRecord record;
        record.begin(test::denseModel(1));
        LossPlot plot(record);
        show(plot);
        plot.setPalette(darkPalette());
        const QColor label = canvasOf(plot)->axisRect(0)->axis(QCPAxis::atLeft)->labelColor();
        QCOMPARE(label, darkPalette().color(QPalette::Text));
        QVERIFY(PlotTheme::fromPalette(darkPalette()).dark);
        QVERIFY(!PlotTheme::fromPalette(lightPalette()).dark);
    }

private:
    static void show(QWidget& widget) {
        widget.resize(900, 600);
        widget.show();
        QVERIFY(QTest::qWaitForWindowExposed(&widget));
    }
};

QTEST_MAIN(TestPlots)
#include "tst_plots.moc"
