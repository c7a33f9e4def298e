#include <QApplication>
#include <QCommandLineParser>
#include <QFileInfo>
#include <QTextStream>
#include <QTimer>

#include <chrono>

#include "app/gui/core_services.h"
#include "app/gui/display.h"
#include "app/gui/resource_folder.h"
#include "app/gui/startup_report.h"
#include "ui/english_plurals.h"
#include "ui/lens/error_page.h"
#include "ui/lens/what_if_panel.h"
#include "ui/main_window.h"
#include "ui/overview/overview_page.h"
#include "ui/panels/plots_page.h"
#include "ui/project/autosave.h"
#include "ui/theme.h"

using namespace calibench;
using namespace std::chrono_literals;

namespace {

/// What was asked for on the command line.
struct Options {
    QString place, dataset, recipe, settings, screenshot, theme, tab, select;  ///< place: a model folder or a project file
    int whatIfBits = 0;
    QSize size;
    bool run = false;
    bool demo = false;
    bool reportStartup = false;
};

Options parseOptions(const QCoreApplication& app) {
    QCommandLineParser parser;
    parser.setApplicationDescription(QCoreApplication::translate("main", "Workbench for calibrating and quantizing large language models."));
    parser.addHelpOption();
    parser.addVersionOption();
    const auto tr = [](const char* text) { return QCoreApplication::translate("main", text); };
    parser.addPositionalArgument(QStringLiteral("PLACE"), tr("Model folder or project file (.calibench) to open."), QStringLiteral("[MODEL_DIR|PROJECT]"));
    const QCommandLineOption dataset(QStringLiteral("dataset"), tr("Text or JSONL file to calibrate with."), QStringLiteral("FILE"));
    const QCommandLineOption recipe(QStringLiteral("recipe"), tr("Recipe (YAML) to open."), QStringLiteral("FILE"));
    const QCommandLineOption run(QStringLiteral("run"), tr("Start the run as soon as all is read."));
    const QCommandLineOption demo(QStringLiteral("demo"), tr("Open the bundled demo: model, text and recipe."));
    const QCommandLineOption settings(QStringLiteral("settings"), tr("Keep settings in FILE instead of the user's own."), QStringLiteral("FILE"));
    const QCommandLineOption screenshot(QStringLiteral("screenshot"), tr("Save a picture of the window when it has nothing left to do, and quit."), QStringLiteral("FILE"));
    const QCommandLineOption size(QStringLiteral("size"), tr("Size of the window in pixels."), QStringLiteral("WIDTHxHEIGHT"));
    const QCommandLineOption theme(QStringLiteral("theme"), tr("Colours of this window: light, dark or system."), QStringLiteral("NAME"));
    const QCommandLineOption tab(QStringLiteral("tab"), tr("Show the Nth plot, counted from 1."), QStringLiteral("N"));
    const QCommandLineOption select(QStringLiteral("select"), tr("Select MODULE once the model is read."), QStringLiteral("MODULE"));
    const QCommandLineOption whatIf(QStringLiteral("what-if"), tr("Ask the Error plot what BITS bits would do to the selected module."), QStringLiteral("BITS"));
    QCommandLineOption reportStartup(QStringLiteral("report-startup"));  // for calibench-window-bench: not in the help
    reportStartup.setFlags(QCommandLineOption::HiddenFromHelp);
    parser.addOptions({reportStartup, dataset, recipe, run, demo, settings, screenshot, size, theme, tab, select, whatIf});
    parser.process(app);
    const QStringList sides = parser.value(size).split(QLatin1Char('x'));
    return {.place = parser.positionalArguments().value(0), .dataset = parser.value(dataset), .recipe = parser.value(recipe),
            .settings = parser.value(settings), .screenshot = parser.value(screenshot), .theme = parser.value(theme),
            .tab = parser.value(tab), .select = parser.value(select), .whatIfBits = parser.value(whatIf).toInt(), .size = {sides.value(0).toInt(), sides.value(1).toInt()},
            .run = parser.isSet(run), .demo = parser.isSet(demo), .reportStartup = parser.isSet(reportStartup)};
}

/// Presses Run once model, text and recipe are read.
void runWhenReady(MainWindow& window) {
    auto* once = new QObject(&window);
    QObject::connect(&window.session(), &Session::recipeChecked, once, [once, &window] {
        window.startRun();
        if (window.controller().active()) once->deleteLater();
    });
}

/// Selects a module once the model is read, and once more when a run that was asked for has ended.
void selectWhenReady(MainWindow& window, const QString& module) {
    const auto select = [&window, module] { window.session().selectModule(module); };
    QObject::connect(&window.session(), &Session::recipeChecked, &window, select);
    QObject::connect(&window.controller(), &RunController::stateChanged, &window, select);
}

/// Asks once, as soon as the module can be looked at.
void askWhenReady(MainWindow& window, int bits) {
    ErrorPage* page = window.plots()->errorPage();
    QObject::connect(&page->microscope(), &Microscope::changed, page, [page, bits, asked = false]() mutable {
        if (asked || page->microscope().state() != Microscope::State::Ready) return;
        asked = true;
        page->showWhatIf(true);
        WhatIf question = page->whatIf()->strip()->question();
        if (question.weights) question.weights->num_bits = bits;
        page->whatIf()->strip()->propose(question);
    }, Qt::QueuedConnection);
}

void open(MainWindow& window, const Options& options) {
    if (options.demo) window.openDemo();
    if (options.place.endsWith(QLatin1String(".calibench")))
        window.openProject(options.place);
    else if (!options.place.isEmpty())
        window.openModel(options.place);
    if (!options.dataset.isEmpty()) window.openData(options.dataset);
    if (!options.recipe.isEmpty()) window.openRecipe(options.recipe);
}

/// Grabs the window once it is idle or its run has ended.
void takeScreenshot(MainWindow& window, const QString& file, bool afterRun) {
    const auto grab = [&window, file] {
        const bool saved = window.grab().save(file);
        if (!saved) QTextStream(stderr) << QCoreApplication::translate("main", "%1 cannot be written").arg(file) << Qt::endl;
        window.autosave().finish();  // nobody wants this window back
        QCoreApplication::exit(saved ? 0 : 1);
    };
    const auto settled = [&window, afterRun] {
        if (window.session().modelState() == Session::ModelState::Loading || window.session().checkingRecipe()) return false;
        if (!window.plots()->errorPage()->settled() || window.plots()->overviewPage()->loader().busy()) return false;
        return !window.controller().active() && (!afterRun || window.controller().state() != RunController::State::Idle || !window.session().obstacle().isEmpty());
    };
    auto* poll = new QTimer(&window);
    QObject::connect(poll, &QTimer::timeout, &window, [poll, grab, settled, calm = 0]() mutable {
        calm = settled() ? calm + 1 : 0;  // the plots draw one turn later
        if (calm < 5) return;
        poll->stop();
        grab();
    });
    poll->start(100ms);
}

}  // namespace

int main(int argc, char** argv) {
    if (!haveDisplay(argc, argv)) return 1;
    QApplication app(argc, argv);
    QApplication::setApplicationName(QStringLiteral("calibench"));
    QApplication::setApplicationDisplayName(QStringLiteral("Calibench"));
    QApplication::setApplicationVersion(QStringLiteral(CALIBENCH_VERSION));
    QApplication::setDesktopFileName(QStringLiteral("calibench"));
    QApplication::installTranslator(new EnglishPlurals(&app));
    const Options options = parseOptions(app);

    Settings settings(options.settings);
    installStyle();
    if (const qsizetype theme = themeNames().indexOf(options.theme); theme >= 0) settings.overrideTheme(static_cast<Theme>(theme));
    applyTheme(settings.theme());
    MainWindow window(coreServices(), settings, resourceFolder());
    if (options.run) runWhenReady(window);
    open(window, options);
    if (const int tab = options.tab.toInt(); tab > 0) window.plots()->setCurrentTab(tab - 1);
    if (!options.select.isEmpty()) selectWhenReady(window, options.select);
    if (options.whatIfBits > 0) askWhenReady(window, options.whatIfBits);
    if (!options.screenshot.isEmpty()) takeScreenshot(window, options.screenshot, options.run);
    if (!options.size.isEmpty()) window.resize(options.size);
    if (options.reportStartup) new StartupReport(window);
    window.show();
    return QApplication::exec();
}
