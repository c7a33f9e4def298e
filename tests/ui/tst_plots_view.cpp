#include <QApplication>
#include <QClipboard>
#include <QComboBox>
#include <QMenu>
#include <QSignalSpy>
#include <QSpinBox>
#include <QTabWidget>
#include <QTemporaryDir>
#include <QTest>
#include <QToolButton>
#include <QWheelEvent>

#include "tests/ui/fake_core.h"
#include "ui/format.h"
#include "ui/panels/plot_window.h"
#include "ui/panels/plots_page.h"
#include "ui/plots/loss_curves.h"
#include "ui/plots/loss_plot.h"
#include "ui/plots/range_bars.h"
#include "ui/plots/range_plot.h"
#include "ui/plots/scales.h"
#include "ui/plots/token_cells.h"
#include "ui/plots/token_plot.h"
#include "ui/plots/view_history.h"
#include "ui/run_controller.h"
#include "ui/session.h"
#include "ui/settings.h"
#include "ui/theme.h"

using namespace calibench;

namespace {

QCustomPlot* canvasOf(const QWidget& plot) { return plot.findChild<QCustomPlot*>(); }

QAction* actionOf(const QWidget& plot, const QString& text) {
    for (QAction* action : plot.actions())
        if (action->text() == text) return action;
    return nullptr;
}

template <typename PlotType>
struct Shown {
    explicit Shown(const ModelSummary& model, const RunSnapshot& snapshot) {
        record.begin(model);
        record.apply(snapshot);
        plot.resize(900, 600);
        plot.show();
        plot.activateWindow();
        if (!QTest::qWaitForWindowActive(&plot)) qFatal("the plot's window does not become active");
        canvas = canvasOf(plot);
        canvas->setFocus();
        canvas->replot();
    }
    void apply(const RunSnapshot& snapshot) {
        record.apply(snapshot);
        plot.applySnapshot(snapshot);
        canvas->replot();
    }
    RunRecord record;
    PlotType plot{record};
    QCustomPlot* canvas = nullptr;
};

RunSnapshot tuned(int blocks, int iterations) {
    RunSnapshot snapshot;
    snapshot.started = test::startOf(test::denseModel(blocks), iterations);
    for (int block = 0; block < blocks; ++block)
        for (int i = 0; i < iterations; ++i)
            snapshot.losses.push_back({.block = block, .iteration = i, .loss_mse = (block + 1) * 1e-5 / (i + 1.7), .best = true});
    return snapshot;
}

RunSnapshot observed(const ModelSummary& model) {
    RunSnapshot snapshot;
    snapshot.started = test::startOf(model);
    double reach = 0.1;
    for (const ModuleInfo& module : model.modules) {
        if (module.class_name != "Linear" || module.block < 0) continue;
        for (const Tap tap : {Tap::Weight, Tap::Input})
            snapshot.ranges.push_back({.block = module.block, .module = module.name, .tap = tap, .min = -reach, .max = reach / 3, .p001 = -reach / 7, .p999 = reach / 9});
        reach *= 1.37;
    }
    return snapshot;
}

RunSnapshot counted() {
    RunSnapshot snapshot;
    snapshot.started = test::startOf(test::moeModel());
    const int64_t counts[] = {400, 300, 250, 50};
    for (int block = 0; block < 2; ++block)
        for (int expert = 0; expert < 4; ++expert)
            snapshot.tokens.push_back({.block = block, .module = "model.layers." + std::to_string(block) + ".mlp.experts." + std::to_string(expert) + ".up_proj",
                                       .expert = expert, .tokens = counts[expert]});
    return snapshot;
}

void turnWheel(QCustomPlot* canvas, const QPoint& at, Qt::KeyboardModifiers modifiers = Qt::NoModifier) {
    QWheelEvent wheel(at, canvas->mapToGlobal(at), {}, {0, 120}, Qt::NoButton, modifiers, Qt::NoScrollPhase, false);
    QApplication::sendEvent(canvas, &wheel);
}

void drag(QCustomPlot* canvas, const QPoint& from, const QPoint& to, Qt::KeyboardModifiers modifiers = Qt::NoModifier) {
    QTest::mousePress(canvas, Qt::LeftButton, modifiers, from);
    for (const QPoint& at : {from + (to - from) / 2, to}) {
        QMouseEvent move(QEvent::MouseMove, at, canvas->mapToGlobal(at), Qt::NoButton, Qt::LeftButton, modifiers);
        QApplication::sendEvent(canvas, &move);
    }
    QTest::mouseRelease(canvas, Qt::LeftButton, modifiers, to);
}

}  // namespace

class TestPlotsView : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void init() { test::failOnAnyWarning(); }

    void historyIsGoneThroughLikePages() {
        ViewHistory history;
        QVERIFY(!history.canGoBack() && history.current().whole);
        const View first{.whole = false, .ranges = {QCPRange(0, 1)}}, second{.whole = false, .ranges = {QCPRange(2, 3)}};
        history.visit(first);
        history.visit(first);  // nothing new
        history.visit(second);
        QCOMPARE(history.back(), first);
        QVERIFY(history.back().whole);
        QVERIFY(!history.canGoBack());
        QCOMPARE(history.forward(), first);
        history.visit({});
        QVERIFY(!history.canGoForward());
        QCOMPARE(history.back(), first);
        for (size_t i = 0; i < 2 * ViewHistory::MaxViews; ++i) history.visit({.whole = false, .ranges = {QCPRange(0, 5.0 + static_cast<double>(i))}});
        size_t steps = 0;
        for (; history.canGoBack(); ++steps) history.back();
        QCOMPARE(steps, ViewHistory::MaxViews - 1);
    }

    void zoomAndPanAreUndoneExactly() {
        Shown<LossPlot> shown(test::denseModel(3), tuned(3, 50));
        QCPAxis* x = shown.canvas->axisRect(1)->axis(QCPAxis::atBottom);
        QCPAxis* y = shown.canvas->axisRect(1)->axis(QCPAxis::atLeft);
        const QCPRange wholeX = x->range(), wholeY = y->range();
        const QPoint middle = shown.canvas->axisRect(1)->rect().center();
        turnWheel(shown.canvas, middle);
        turnWheel(shown.canvas, middle);  // one change with the turn before
        const QCPRange zoomed = x->range();
        QVERIFY(zoomed.size() < wholeX.size());
        QCOMPARE(y->range(), wholeY);
        QVERIFY(!shown.plot.following());
        drag(shown.canvas, middle, middle + QPoint(80, 0));
        const QCPRange panned = x->range();
        QVERIFY(panned.lower < zoomed.lower);
        drag(shown.canvas, middle - QPoint(100, 40), middle + QPoint(100, 40), Qt::ShiftModifier);
        const QCPRange bandX = x->range(), bandY = y->range();
        QVERIFY(bandX.size() < panned.size() && bandY.size() < wholeY.size());

        QTest::keyClick(shown.canvas, Qt::Key_Left, Qt::AltModifier);
        QCOMPARE(x->range(), panned);
        QCOMPARE(y->range(), wholeY);
        QTest::keyClick(shown.canvas, Qt::Key_Left, Qt::AltModifier);
        QCOMPARE(x->range(), zoomed);
        QTest::keyClick(shown.canvas, Qt::Key_Left, Qt::AltModifier);
        QCOMPARE(x->range(), wholeX);
        QVERIFY(shown.plot.following());
        QVERIFY(!actionOf(shown.plot, QStringLiteral("Previous view"))->isEnabled());
        for (int i = 0; i < 3; ++i) QTest::keyClick(shown.canvas, Qt::Key_Right, Qt::AltModifier);
        QCOMPARE(x->range(), bandX);
        QCOMPARE(y->range(), bandY);
        QTest::keyClick(shown.canvas, Qt::Key_Home);
        QCOMPARE(x->range(), wholeX);
        QCOMPARE(y->range(), wholeY);
        QVERIFY(shown.plot.following());
        QTest::keyClick(shown.canvas, Qt::Key_Left, Qt::AltModifier);
        QCOMPARE(x->range(), bandX);
    }

    void nothingLeadsBeyondTheData() {
        Shown<LossPlot> shown(test::denseModel(1), tuned(1, 50));
        QCPAxis* x = shown.canvas->axisRect(1)->axis(QCPAxis::atBottom);
        const QCPRange whole = x->range();
        for (int i = 0; i < 20; ++i) QTest::keyClick(shown.canvas, Qt::Key_Minus);
        QCOMPARE(x->range(), whole);
        for (int i = 0; i < 200; ++i) QTest::keyClick(shown.canvas, Qt::Key_Plus);
        shown.canvas->replot();
        QVERIFY(x->range().size() > 0 && whole.contains(x->range().center()));
    }

    void theLineStaysWholeWhileLookedAtCloselyAndGrows() {
        Shown<LossPlot> shown(test::denseModel(1), tuned(1, 50));
        QCPAxis* x = shown.canvas->axisRect(1)->axis(QCPAxis::atBottom);
        turnWheel(shown.canvas, shown.canvas->axisRect(1)->rect().center());
        const QCPRange zoomed = x->range();
        RunSnapshot more;
        for (int i = 50; i < 90; ++i) more.losses.push_back({.block = 0, .iteration = i, .loss_mse = 1e-7});
        shown.apply(more);
        QCOMPARE(x->range(), zoomed);  // nobody moves the view but the user
        shown.plot.follow();
        QCOMPARE(x->range().upper, 89.0);
    }

    void copiedTableIsTheRecord() {
        Shown<LossPlot> losses(test::denseModel(2), tuned(2, 5));
        QTest::keyClick(losses.canvas, Qt::Key_C, Qt::ControlModifier);
        const QStringList lines = QApplication::clipboard()->text().split(QLatin1Char('\n'), Qt::SkipEmptyParts);
        QCOMPARE(lines.size(), 6);
        const auto& points = losses.record.blocks()[1].losses().points();
        for (int i = 0; i < 5; ++i) {
            const QStringList cells = lines[i + 1].split(QLatin1Char('\t'));
            QCOMPARE(cells[0], QStringLiteral("1"));
            QCOMPARE(cells[2].toInt(), i);
            QCOMPARE(cells[3].toDouble(), points[static_cast<size_t>(i)].y);  // to the last digit
        }

        const ModelSummary model = test::denseModel(2);
        Shown<RangePlot> ranges(model, observed(model));
        const PlotTable table = ranges.plot.table();
        QCOMPARE(table.rows.size(), 6);
        const ModuleRecord* module = ranges.record.find(table.rows[4][0].toStdString());
        QVERIFY(module);
        QCOMPARE(table.rows[4][3].toDouble(), module->weight->min);
        QCOMPARE(table.rows[4][10].toDouble(), module->input->p999);
        ranges.plot.setProjectionShown(QStringLiteral("k_proj"), false);
        QCOMPARE(ranges.plot.table().rows.size(), 4);

        Shown<TokenPlot> tokens(test::moeModel(), counted());
        QCOMPARE(tokens.plot.table().rows.size(), 8);
        QCOMPARE(tokens.plot.table().rows[3], (QStringList{QStringLiteral("0"), QStringLiteral("3"), QStringLiteral("50"), QStringLiteral("0.05"), QStringLiteral("0.2")}));
    }

    void hoverTellsWhatTheRecordHolds() {
        const ModelSummary model = test::denseModel(2);
        Shown<RangePlot> shown(model, observed(model));
        const int spot = 2 * 3 + 1;  // the inputs of block 1's q_proj
        const QPointF at = shown.plot.boxOf(spot).center();
        QTest::mouseMove(shown.canvas, at.toPoint());
        QTRY_COMPARE(shown.plot.pointedSpot(), spot);
        const QString exact = QString::number(shown.record.find("model.layers.1.self_attn.q_proj")->input->min, 'g', QLocale::FloatingPointShortest);
        QVERIFY2(shown.plot.readoutAt(at).contains(exact), qPrintable(shown.plot.readoutAt(at)));
        QCOMPARE(shown.canvas->accessibleDescription(), shown.plot.readoutOf(spot));
    }

    void keysWalkFromModuleToModule() {
        const ModelSummary model = test::denseModel(2);
        Shown<RangePlot> shown(model, observed(model));
        QSignalSpy clicks(&shown.plot, &Plot::moduleClicked);
        QTest::keyClick(shown.canvas, Qt::Key_Right);
        QTest::keyClick(shown.canvas, Qt::Key_Right);
        QCOMPARE(shown.plot.moduleOf(shown.plot.pointedSpot()), QStringLiteral("model.layers.0.self_attn.k_proj"));
        QTest::keyClick(shown.canvas, Qt::Key_Down);
        QCOMPARE(shown.plot.pointedSpot() % 2, 1);
        QCOMPARE(shown.canvas->accessibleDescription(), shown.plot.readoutOf(shown.plot.pointedSpot()));
        QTest::keyClick(shown.canvas, Qt::Key_Return);
        QCOMPARE(clicks.takeFirst().at(0).toString(), QStringLiteral("model.layers.0.self_attn.k_proj"));

        Shown<TokenPlot> tokens(test::moeModel(), counted());
        QTest::keyClick(tokens.canvas, Qt::Key_Right);
        QTest::keyClick(tokens.canvas, Qt::Key_Right);
        QTest::keyClick(tokens.canvas, Qt::Key_Down);
        QVERIFY2(tokens.canvas->accessibleDescription().startsWith(QStringLiteral("Block 1, expert 1")), qPrintable(tokens.canvas->accessibleDescription()));

        Shown<LossPlot> losses(test::denseModel(2), tuned(2, 5));
        QTest::keyClick(losses.canvas, Qt::Key_Right);
        QTest::keyClick(losses.canvas, Qt::Key_Right);
        QVERIFY2(losses.canvas->accessibleDescription().startsWith(QStringLiteral("Block 1, iteration 1")), qPrintable(losses.canvas->accessibleDescription()));
        QTest::keyClick(losses.canvas, Qt::Key_Up);
        QTest::keyClick(losses.canvas, Qt::Key_Left);
        QVERIFY2(losses.canvas->accessibleDescription().startsWith(QStringLiteral("Block 0\n")), qPrintable(losses.canvas->accessibleDescription()));
    }

    void clicksSelectAndTheSelectionShows() {
        Shown<LossPlot> losses(test::denseModel(3), tuned(3, 20));
        QSignalSpy blocks(&losses.plot, &Plot::moduleClicked);
        QTest::mouseClick(losses.canvas, Qt::LeftButton, {}, losses.plot.boxOf(1).center().toPoint());
        QCOMPARE(blocks.takeFirst().at(0).toString(), QStringLiteral("model.layers.1"));
        losses.plot.setSelectedModule(QStringLiteral("model.layers.0.mlp.down_proj"));
        QCOMPARE(losses.plot.shownBlock(), 0);
        losses.plot.setSelectedModule(QStringLiteral("model.layers.1"));
        QCOMPARE(losses.plot.shownBlock(), 1);

        Shown<TokenPlot> tokens(test::moeModel(), counted());
        QSignalSpy experts(&tokens.plot, &Plot::moduleClicked);
        QTest::mouseClick(tokens.canvas, Qt::LeftButton, {}, tokens.plot.boxOf(4 + 2).center().toPoint());
        QCOMPARE(experts.takeFirst().at(0).toString(), QStringLiteral("model.layers.1.mlp.experts.2.up_proj"));
        const QImage before = tokens.canvas->grab().toImage();
        tokens.plot.setSelectedModule(QStringLiteral("model.layers.1.mlp.experts.2.up_proj"));
        QTRY_VERIFY(tokens.canvas->grab().toImage() != before);
    }

    void thresholdChangesWhoIsOutlined() {
        Shown<TokenPlot> shown(test::moeModel(), counted());
        const auto outlined = [&] {
            for (int i = 0; i < shown.canvas->plottableCount(); ++i)
                if (auto* cells = dynamic_cast<TokenCells*>(shown.canvas->plottable(i)))
                    return std::count_if(cells->cells().begin(), cells->cells().end(), [](const auto& cell) { return cell.starved; });
            return std::ptrdiff_t(-1);
        };
        QCOMPARE(outlined(), 0);  // 50 of 1,000 with 4 experts: a fifth of the mean
        auto* threshold = shown.plot.findChild<QSpinBox*>();
        threshold->setValue(21);
        QCOMPARE(outlined(), 2);
        threshold->setValue(20);
        QCOMPARE(outlined(), 0);
    }

    void legendHidesAndShowsAProjection() {
        const ModelSummary model = test::denseModel(2);
        Shown<RangePlot> shown(model, observed(model));
        auto* legend = shown.canvas->findChild<QCPLegend*>();
        if (!legend)
            for (auto* element : shown.canvas->plotLayout()->elements(false))
                if (auto* found = qobject_cast<QCPLegend*>(element)) legend = found;
        QVERIFY(legend);
        const double before = shown.canvas->axisRect(0)->axis(QCPAxis::atLeft)->range().size();
        QTest::mouseClick(shown.canvas, Qt::LeftButton, {}, legend->item(2)->outerRect().center());
        QVERIFY(!shown.plot.projectionShown(QStringLiteral("down_proj")));
        QVERIFY(shown.plot.boxOf(2 * 2).isEmpty());
        QVERIFY(shown.canvas->axisRect(0)->axis(QCPAxis::atLeft)->range().size() < before);  // the widest are gone
        QTest::mouseClick(shown.canvas, Qt::LeftButton, {}, legend->item(2)->outerRect().center());
        QVERIFY(shown.plot.projectionShown(QStringLiteral("down_proj")));
        QCOMPARE(shown.canvas->axisRect(0)->axis(QCPAxis::atLeft)->range().size(), before);
    }

    void scaleSwitchKeepsTheView() {
        const ModelSummary model = test::denseModel(3);
        Shown<RangePlot> shown(model, observed(model));
        QCPAxis* x = shown.canvas->axisRect(0)->axis(QCPAxis::atBottom);
        turnWheel(shown.canvas, shown.canvas->axisRect(0)->rect().center());
        const QCPRange zoomed = x->range();
        auto* scale = shown.plot.findChild<QComboBox*>(QStringLiteral("weightScale"));
        scale->setCurrentIndex(2);
        shown.canvas->replot();
        QCOMPARE(x->range(), zoomed);
        const auto isSymlog = [&](int panel) { return !shown.canvas->axisRect(panel)->axis(QCPAxis::atLeft)->ticker().dynamicCast<SymlogTicker>().isNull(); };
        QVERIFY(isSymlog(0) && !isSymlog(1));
        const double largest = Symlog{0.1}.map(shown.record.find("model.layers.2.mlp.down_proj")->weight->max);
        const QCPRange values = shown.canvas->axisRect(0)->axis(QCPAxis::atLeft)->range();
        QVERIFY(values.contains(largest) && values.upper < 1.5 * largest);
        scale->setCurrentIndex(1);
        shown.canvas->replot();
        QVERIFY(!isSymlog(0));
        QCOMPARE(x->range(), zoomed);
    }

    void pageTearsOffAndRemembers() {
        QTemporaryDir folder;
        Settings settings(folder.filePath(QStringLiteral("settings.ini")));
        Session session(test::fakeCore());
        RunController controller(session.services().runCalibration);
        PlotsPage page(session, controller, settings);
        page.resize(900, 600);
        page.show();
        QSignalSpy finished(&controller, &RunController::runFinished);
        controller.start({.output_dir = toPath(folder.path())}, test::denseModel(2));
        QVERIFY(finished.wait());
        auto* tabs = page.findChild<QTabWidget*>();
        const int all = tabs->count();

        auto* loss = page.findChild<LossPlot*>();
        session.selectModule(QStringLiteral("model.layers.0.mlp.down_proj"));
        QCOMPARE(loss->shownBlock(), 0);
        QCOMPARE(page.findChild<RangePlot*>()->selectedModule(), session.selectedModule());
        QCOMPARE(page.findChild<TokenPlot*>()->selectedModule(), session.selectedModule());

        QTest::mouseClick(tabs->tabBar()->tabButton(1, QTabBar::RightSide), Qt::LeftButton);
        QVERIFY(page.tornOff(1));
        QCOMPARE(tabs->count(), all - 1);
        auto* window = page.findChild<PlotWindow*>();
        QVERIFY(window && window->isWindow() && window->isVisible());
        QVERIFY(window->findChild<TokenPlot*>()->isVisible());
        page.setCurrentTab(2);
        QCOMPARE(page.currentTab(), 2);
        window->close();
        QVERIFY(!page.tornOff(1));
        QCOMPARE(tabs->count(), all);
        QCOMPARE(tabs->tabText(1), QStringLiteral("Tokens"));
        QCOMPARE(page.currentTab(), 1);

        page.findChild<TokenPlot*>()->setThreshold(33);
        QCOMPARE(settings.starvedPercent(), 33);
        PlotsPage again(session, controller, settings);
        QCOMPARE(again.findChild<TokenPlot*>()->threshold(), 33);
    }

    void themeSwitchesLiveAndPictureIsCopied() {
        Shown<LossPlot> shown(test::denseModel(3), tuned(3, 20));
        shown.plot.setPalette(darkPalette());
        QTRY_COMPARE(shown.canvas->grab().toImage().pixelColor(3, shown.canvas->height() - 3), darkPalette().color(QPalette::Base));
        shown.plot.setPalette(lightPalette());
        QTRY_COMPARE(shown.canvas->grab().toImage().pixelColor(3, shown.canvas->height() - 3), lightPalette().color(QPalette::Base));
        actionOf(shown.plot, QStringLiteral("Copy picture"))->trigger();
        QCOMPARE(QApplication::clipboard()->image().size(), shown.canvas->size() * 2);
    }

    void everythingHasANameAndAMenu() {
        Shown<TokenPlot> shown(test::moeModel(), counted());
        QVERIFY(!shown.plot.accessibleName().isEmpty() && !shown.canvas->accessibleName().isEmpty());
        for (const QToolButton* button : shown.plot.findChildren<QToolButton*>()) QVERIFY(!button->accessibleName().isEmpty() && !button->toolTip().isEmpty());
        const QPoint at = shown.plot.boxOf(0).center().toPoint();
        QContextMenuEvent event(QContextMenuEvent::Mouse, shown.canvas->mapTo(&shown.plot, at), shown.canvas->mapToGlobal(at));
        QApplication::sendEvent(&shown.plot, &event);
        auto* menu = shown.plot.findChild<QMenu*>();
        QVERIFY(menu);
        QCOMPARE(menu->actions().first()->text(), QStringLiteral("Select model.layers.0.mlp.experts.0.up_proj"));
        menu->close();
    }
};

QTEST_MAIN(TestPlotsView)
#include "tst_plots_view.moc"
