// calibench-plot-bench: how long the plots take to take in a snapshot and to draw themselves, with as much as they must bear.

#include <QApplication>
#include <QCommandLineParser>
#include <QElapsedTimer>
#include <QFile>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <random>
#include <vector>

#include <nlohmann/json.hpp>

#include "ui/plots/loss_plot.h"
#include "ui/plots/qcustomplot.h"
#include "ui/plots/range_plot.h"
#include "ui/plots/token_plot.h"
#include "ui/theme.h"

using namespace calibench;
using nlohmann::json;

namespace {

constexpr int Rounds = 200;
constexpr int LossPoints = 100'000;
constexpr int Blocks = 100;
constexpr int ModulesPerBlock = 50;
constexpr int FinishedIterations = 1000;

ModelSummary largeModel() {
    static const char* const parts[] = {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"};
    ModelSummary model;
    model.num_blocks = Blocks;
    for (int block = 0; block < Blocks; ++block)
        for (int i = 0; i < ModulesPerBlock; ++i)
            model.modules.push_back({.name = "model.layers." + std::to_string(block) + ".group." + std::to_string(i / 7) + "." + parts[i % 7],
                                     .class_name = "Linear", .block = block});
    return model;
}

double milliseconds(const QElapsedTimer& clock) { return static_cast<double>(clock.nsecsElapsed()) / 1e6; }

/// Median, 99th percentile and worst of the rounds of one case.
json report(const char* name, std::vector<double> times) {
    std::sort(times.begin(), times.end());
    const double median = times[times.size() / 2], p99 = times[times.size() * 99 / 100], worst = times.back();
    std::printf("%-44s median %6.2f ms   p99 %6.2f ms   worst %6.2f ms\n", name, median, p99, worst);
    return {{"case", name}, {"median_ms", median}, {"p99_ms", p99}, {"worst_ms", worst}};
}

/// Makes one plot, feeds it and times it: what one turn of the event loop costs the window's thread.
template <typename PlotType>
class Stage {
public:
    Stage(RunRecord& record, QSize size) : m_record(record), m_plot(record) {
        m_plot.resize(size);
        m_plot.show();
        QApplication::processEvents();
        m_canvas = m_plot.template findChild<QCustomPlot*>();
    }

    /// Takes the snapshot in and draws, as one redraw of the run controller does.
    double feed(const RunSnapshot& snapshot) {
        QElapsedTimer clock;
        clock.start();
        m_record.apply(snapshot);
        m_plot.applySnapshot(snapshot);
        m_canvas->replot(QCustomPlot::rpImmediateRefresh);
        const double time = milliseconds(clock);
        QApplication::processEvents();  // the redraw that the plot asked for itself
        return time;
    }

    /// Feeds what `next` makes of the number of the round.
    template <typename Next>
    std::vector<double> grow(Next next) {
        std::vector<double> times;
        for (int i = 0; i < Rounds; ++i) times.push_back(feed(next(i)));
        return times;
    }

    /// Zooms into an eighth once, then moves it along by a pixel or two at a time.
    std::vector<double> pan() {
        QCPAxis* axis = m_canvas->axisRects().last()->axis(QCPAxis::atBottom);
        const QCPRange whole = axis->range();
        QWheelEvent zoom(QPointF(m_canvas->rect().center()), QPointF(m_canvas->rect().center()), {}, {0, 120}, Qt::NoButton, Qt::NoModifier, Qt::NoScrollPhase, false);
        for (int i = 0; i < 3; ++i) QApplication::sendEvent(m_canvas, &zoom);
        axis->setRange(whole.lower, whole.lower + whole.size() / 8);
        std::vector<double> times;
        for (int i = 0; i < Rounds; ++i) {
            QElapsedTimer clock;
            clock.start();
            axis->moveRange(whole.size() / 8 / 800);
            m_canvas->replot(QCustomPlot::rpImmediateRefresh);
            times.push_back(milliseconds(clock));
        }
        return times;
    }

    /// Moves the pointer about, without a change of the data.
    std::vector<double> hover() {
        std::vector<double> times;
        for (int i = 0; i < Rounds; ++i) {
            const QPointF at(100 + 6.7 * i, 400 + 100 * std::sin(i));
            QMouseEvent move(QEvent::MouseMove, at, m_canvas->mapToGlobal(at), Qt::NoButton, Qt::NoButton, Qt::NoModifier);
            QElapsedTimer clock;
            clock.start();
            QApplication::sendEvent(m_canvas, &move);
            m_canvas->repaint();
            times.push_back(milliseconds(clock));
        }
        return times;
    }

private:
    RunRecord& m_record;
    PlotType m_plot;
    QCustomPlot* m_canvas;
};

RunSnapshot losses(int block, int first, int count, std::mt19937& random) {
    std::uniform_real_distribution<double> noise(0.7, 1.3);
    RunSnapshot snapshot;
    for (int i = first; i < first + count; ++i)
        snapshot.losses.push_back({.block = block, .iteration = i, .loss_mse = 1e-5 * (1 + 20 * std::exp(-i / 2e4)) * noise(random), .best = i == first});
    return snapshot;
}

json benchLosses(const ModelSummary& model, QSize size) {
    json cases;
    std::mt19937 random(1);
    RunRecord record;
    record.begin(model);
    Stage<LossPlot> stage(record, size);
    RunSnapshot start;
    start.started = RunStarted{.num_blocks = Blocks, .iters = LossPoints};
    stage.feed(start);
    constexpr int Last = Blocks - 1;
    stage.feed(losses(Last, 0, LossPoints - 200 * Rounds, random));
    const auto added = [&](int i) { return losses(Last, LossPoints - 200 * (Rounds - i), 200, random); };
    cases.push_back(report("losses, growing to 100,000 in one block", stage.grow(added)));
    cases.push_back(report("losses, 100,000, panning", stage.pan()));
    cases.push_back(report("losses, 100,000, pointing", stage.hover()));

    RunRecord many;
    many.begin(model);
    Stage<LossPlot> behind(many, size);
    start.started->iters = FinishedIterations;
    behind.feed(start);
    for (int block = 0; block < Last; ++block) behind.feed(losses(block, 0, FinishedIterations, random));
    cases.push_back(report("losses, growing before 99 finished blocks", behind.grow([&](int i) { return losses(Last, 5 * i, 5, random); })));
    cases.push_back(report("losses, 100 blocks, panning", behind.pan()));
    return cases;
}

RunSnapshot ranges(const ModelSummary& model, size_t first, size_t count, std::mt19937& random) {
    std::lognormal_distribution<double> size(0, 1.5);
    RunSnapshot snapshot;
    for (size_t i = first; i < first + count; ++i) {
        const ModuleInfo& module = model.modules[i % model.modules.size()];
        for (const Tap tap : {Tap::Weight, Tap::Input}) {
            const double reach = size(random) * (tap == Tap::Weight ? 0.1 : 4);
            snapshot.ranges.push_back({.block = module.block, .module = module.name, .tap = tap, .min = -reach, .max = reach * 0.9, .p001 = -reach / 3, .p999 = reach / 3});
        }
    }
    return snapshot;
}

json benchRanges(const ModelSummary& model, QSize size) {
    json cases;
    std::mt19937 random(2);
    RunRecord record;
    record.begin(model);
    Stage<RangePlot> stage(record, size);
    RunSnapshot start;
    start.started = RunStarted{.num_blocks = Blocks, .iters = 1};
    stage.feed(start);
    stage.feed(ranges(model, 0, model.modules.size(), random));
    const auto some = [&](int i) { return ranges(model, static_cast<size_t>(i) * 50, 50, random); };
    cases.push_back(report("ranges, 5,000 modules x 4, growing", stage.grow(some)));
    cases.push_back(report("ranges, 5,000 modules x 4, panning", stage.pan()));
    cases.push_back(report("ranges, 5,000 modules x 4, pointing", stage.hover()));
    return cases;
}

json benchTokens(QSize size) {
    constexpr int TokenBlocks = 48, Experts = 128;
    json cases;
    std::mt19937 random(3);
    std::lognormal_distribution<double> count(6, 1.5);
    ModelSummary model;
    model.num_blocks = TokenBlocks;
    model.num_experts = Experts;
    for (int block = 0; block < TokenBlocks; ++block)
        for (int expert = 0; expert < Experts; ++expert)
            model.modules.push_back({.name = "model.layers." + std::to_string(block) + ".mlp.experts." + std::to_string(expert) + ".up_proj",
                                     .class_name = "Linear", .block = block, .expert = expert});
    RunRecord record;
    record.begin(model);
    Stage<TokenPlot> stage(record, size);
    const auto some = [&](int i) {
        RunSnapshot snapshot;
        if (i == 0) snapshot.started = RunStarted{.num_blocks = TokenBlocks};
        const size_t first = static_cast<size_t>(i) * Experts / 4;
        for (size_t k = first; k < first + Experts; ++k) {
            const ModuleInfo& module = model.modules[k % model.modules.size()];
            snapshot.tokens.push_back({.block = module.block, .module = module.name, .expert = module.expert, .tokens = static_cast<int64_t>(count(random))});
        }
        return snapshot;
    };
    cases.push_back(report("tokens, 48 x 128 experts, growing", stage.grow(some)));
    cases.push_back(report("tokens, 48 x 128 experts, panning", stage.pan()));
    return cases;
}

}  // namespace

int main(int argc, char** argv) {
    if (qEnvironmentVariableIsEmpty("QT_QPA_PLATFORM")) qputenv("QT_QPA_PLATFORM", "offscreen");
    QApplication app(argc, argv);
    QCommandLineParser options;
    options.addHelpOption();
    options.addOptions({{QStringLiteral("json"), QStringLiteral("Write the figures to FILE."), QStringLiteral("FILE")},
                        {QStringLiteral("only"), QStringLiteral("Time one plot: losses, ranges or tokens."), QStringLiteral("PLOT")},
                        {QStringLiteral("size"), QStringLiteral("Size of the plot in pixels."), QStringLiteral("WxH"), QStringLiteral("1600x900")}});
    options.process(app);
    const QStringList sides = options.value(QStringLiteral("size")).split(QLatin1Char('x'));
    const QSize size(sides.value(0).toInt(), sides.value(1).toInt());
    installStyle();
    applyTheme(Theme::Light);

    const ModelSummary model = largeModel();
    std::printf("%d x %d, scale %.3g, %d rounds each\n", size.width(), size.height(), app.devicePixelRatio(), Rounds);
    json results = json::array();
    const QString only = options.value(QStringLiteral("only"));
    const auto add = [&](const char* name, const auto& bench) {
        if (!only.isEmpty() && only != QLatin1String(name)) return;
        const json cases = bench();
        results.insert(results.end(), cases.begin(), cases.end());
    };
    add("losses", [&] { return benchLosses(model, size); });
    add("ranges", [&] { return benchRanges(model, size); });
    add("tokens", [&] { return benchTokens(size); });
    if (!options.isSet(QStringLiteral("json"))) return 0;
    QFile file(options.value(QStringLiteral("json")));
    const QByteArray text = QByteArray::fromStdString(results.dump(2)) + '\n';
    if (file.open(QIODevice::WriteOnly) && file.write(text) == text.size()) return 0;
    std::fprintf(stderr, "calibench-plot-bench: cannot write %s\n", qPrintable(file.fileName()));
    return 1;
}
