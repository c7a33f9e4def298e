// calibench-lens-bench MODEL MODULE: how long the Error tab takes, in the window and on the real core, from a click to the last picture of it:
// opening a module, answering what-ifs, zooming. make_synthetic_llama.py makes models with weights of any size.

#include <QApplication>
#include <QElapsedTimer>
#include <QSettings>
#include <QTemporaryDir>
#include <QTest>

#include <algorithm>
#include <cstdio>
#include <functional>
#include <vector>

#include "app/gui/core_services.h"
#include "ui/lens/error_page.h"
#include "ui/lens/map_plot.h"
#include "ui/lens/what_if_panel.h"
#include "ui/main_window.h"
#include "ui/panels/plots_page.h"
#include "ui/plots/qcustomplot.h"
#include "ui/theme.h"

using namespace calibench;

namespace {

constexpr int Rounds = 12;
constexpr const char* Recipe = "quant_stage:\n  quant_modifiers:\n    QuantizationModifier: {ignore: [lm_head], targets: [Linear], scheme: W4A16}\n";

class LensClock {
public:
    LensClock(const QString& model, const QString& module)
        : m_module(module), m_settings(m_folder.filePath(QStringLiteral("settings.ini"))), m_window(coreServices(), m_settings, QStringLiteral(CALIBENCH_RESOURCES)) {
        m_window.resize(1440, 900);
        m_window.show();
        m_window.openModel(model);
        m_window.session().changeRecipe(QString::fromLatin1(Recipe));
        m_window.plots()->setCurrentTab(PlotsPage::Error);
        if (!QTest::qWaitFor([this] { return !m_window.session().resolvedModules().empty() && !m_window.session().checkingRecipe(); }, 60'000)) qFatal("the model does not open");
    }

    void openings() {
        std::vector<double> times;
        for (int i = 0; i < Rounds; ++i) {
            m_window.session().selectModule(QString());
            settle();
            times.push_back(timed([this] { m_window.session().selectModule(m_module); }));
        }
        report("opened", times);
    }

    void answers(const char* name, const QuantizationArgs& first, const QuantizationArgs& second) {
        page().showWhatIf(true);
        std::vector<double> times;
        for (int i = 0; i < Rounds; ++i) {
            WhatIf question = page().whatIf()->strip()->question();
            question.weights = i % 2 == 0 ? first : second;
            times.push_back(timed([&] { page().whatIf()->strip()->propose(question); }));
        }
        report(name, times);
        page().showWhatIf(false);
        settle();
    }

    void panning() {
        QCPAxis* columns = page().map()->findChild<QCustomPlot*>()->axisRect(0)->axis(QCPAxis::atBottom);
        columns->setRange(0, 1500);
        settle();
        std::vector<double> times;
        for (int i = 0; i < 4 * Rounds; ++i) times.push_back(timed([columns] { columns->moveRange(60); }));
        report("panned by a step", times);
    }

private:
    ErrorPage& page() { return *m_window.plots()->errorPage(); }

    void settle() {
        const auto settled = [this] { return page().settled(); };
        if (!QTest::qWaitFor(settled, 60'000)) qFatal("the page does not settle");
    }

    /// Until what follows is computed and drawn.
    double timed(const std::function<void()>& change) {
        QElapsedTimer clock;
        clock.start();
        change();
        while (!page().settled()) QCoreApplication::processEvents(QEventLoop::WaitForMoreEvents);  // asleep meanwhile, as a window is
        for (QCustomPlot* plot : page().findChildren<QCustomPlot*>()) plot->repaint();
        return static_cast<double>(clock.nsecsElapsed()) / 1e6;
    }

    static void report(const char* name, std::vector<double> times) {
        std::sort(times.begin(), times.end());
        std::printf("%-44s median %6.1f ms   worst %6.1f ms\n", name, times[times.size() / 2], times.back());
    }

    const QString m_module;
    const QTemporaryDir m_folder;
    Settings m_settings;
    MainWindow m_window;
};

}  // namespace

int main(int argc, char** argv) {
    if (qEnvironmentVariableIsEmpty("QT_QPA_PLATFORM")) qputenv("QT_QPA_PLATFORM", "offscreen");
    QApplication app(argc, argv);
    if (argc != 3) {
        std::fprintf(stderr, "usage: calibench-lens-bench MODEL MODULE\n");
        return 2;
    }
    installStyle();
    LensClock clock(QString::fromLocal8Bit(argv[1]), QString::fromLocal8Bit(argv[2]));
    clock.openings();
    const CoreServices services = coreServices();
    const auto weights = [&](const char* preset) { return *services.presetScheme(preset).weights; };
    clock.answers("what if: W8 g128, W4 g128", weights("W8A16"), weights("W4A16"));
    clock.answers("what if: FP8, NVFP4", weights("FP8_DYNAMIC"), weights("NVFP4A16"));
    clock.answers("what if: MXFP4, W4 asym", weights("MXFP4A16"), weights("W4A16_ASYM"));
    clock.panning();
    return 0;
}
