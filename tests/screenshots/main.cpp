// calibench-screenshots FOLDER: every view of the window, in light and dark, as FOLDER/<view>-<theme>[@2x].png. The scale is
// Qt's own (QT_SCALE_FACTOR). calibench-screenshots --guide FOLDER: the pictures of the user's guide.

#include <QApplication>
#include <QDialog>
#include <QDir>
#include <QDockWidget>
#include <QTabWidget>
#include <QTest>

#include <cstdio>
#include <functional>

#include "tests/screenshots/guide_pictures.h"
#include "tests/screenshots/studio.h"
#include "ui/actions.h"
#include "ui/english_plurals.h"
#include "ui/lens/error_page.h"
#include "ui/lens/map_plot.h"
#include "ui/lens/what_if_panel.h"
#include "ui/main_window.h"
#include "ui/overview/overview_page.h"
#include "ui/panels/plots_page.h"
#include "ui/recipe/recipe_editor.h"
#include "ui/recipe/recipe_panel.h"
#include "ui/runs/run_comparison.h"
#include "ui/runs/runs_page.h"
#include "ui/theme.h"

using namespace calibench;
using State = RunController::State;

namespace {

/// Every view of the window.
class AllViews : public Studio {
public:
    AllViews(const QString& folder, const QString& theme) : Studio(folder, QLatin1Char('-') + theme) {
        applyTheme(theme == QStringLiteral("dark") ? Theme::Dark : Theme::Light);
    }

    void takeAll() {
        take("start");
        recipe();
        run();
        dialogs();
        experts();
    }

private:
    static constexpr const char* Module = "model.layers.1.mlp.down_proj";

    void recipe() {
        window().openDemo();
        ready();
        RecipePanel& panel = *window().recipePanel();
        take("idle");
        panel.setView(RecipePanel::View::Yaml);
        take("recipe_yaml");
        panel.setView(RecipePanel::View::Form);

        QSet<QString> matched;
        for (const ModuleInfo& module : window().session().model().modules)
            if (module.name.ends_with("_proj") && module.name.find("self_attn") != std::string::npos) matched.insert(QString::fromStdString(module.name));
        window().session().highlightModules(matched);
        take("target_matches");
        window().session().highlightModules({});
        takeLens("idle");
        showTab(PlotsPage::Ranges);

        const QString text = panel.editor()->text();
        window().session().changeRecipe(QString(text).replace(QStringLiteral("group_size: 64"), QStringLiteral("group_size: 96")));
        wait("the problems", [this] { return !window().session().checkingRecipe() && window().session().errorCount() > 0; });
        panel.setView(RecipePanel::View::Yaml);
        take("recipe_problem");
        panel.setView(RecipePanel::View::Form);
        panel.undoAction()->trigger();
        ready();
    }

    void run() {
        RunController& controller = window().controller();
        shrink(120);
        showTab(2);
        window().startRun();
        const auto tuned = [&controller](size_t block, size_t iterations) {
            const auto& blocks = controller.record().blocks();
            return blocks.size() > block && blocks[block].losses().size() > iterations;
        };
        wait("the second block", [&] { return tuned(1, 25); });
        take("running_loss");
        showTab(0);
        wait("the third block", [&] { return tuned(2, 40); });
        take("running_ranges");
        takeRunning();
        showTab(2);
        window().actions().pause->trigger();
        take("paused");
        window().actions().pause->trigger();
        wait("the run's end", [&] { return !controller.active(); });
        window().session().selectModule(QString::fromLatin1(Module));
        takeTabs("finished");
        takeLens("finished");
        takeRuns();
    }

    /// What the tabs of one module, of all modules and of all runs have to say while a run is on.
    void takeRunning() {
        showTab(PlotsPage::Error);
        for (const char* module : {"model.layers.0.mlp.down_proj", "model.layers.3.mlp.down_proj"}) {
            window().session().selectModule(QString::fromLatin1(module));
            wait("the module's weight", [this] { return errorSettled(); });
            take(module[13] == '0' ? "running_error_done" : "running_error_waiting");
        }
        showTab(PlotsPage::Overview);
        wait("the overview", [this] { return window().plots()->overviewPage()->loader().complete(); });
        take("running_overview");
        showTab(PlotsPage::Runs);
        wait("the runs", [this] { return window().plots()->runsPage()->list().runs().size() == 1 && !window().plots()->runsPage()->list().busy(); });
        window().plots()->runsPage()->select({window().plots()->runsPage()->list().runs().front().directory});
        take("running_runs");
    }

    /// A second run that does only what changed, and both of them side by side.
    void takeRuns() {
        RecipePanel& panel = *window().recipePanel();
        window().session().changeRecipe(QString(panel.editor()->text()).replace(QStringLiteral("ignore: [lm_head]"), QStringLiteral("ignore: [lm_head, 're:.*layers.2.*']")));
        ready();
        wait("the offer to run only what changed", [this] { return window().actions().rerun->isEnabled(); });
        window().startRerun();
        wait("the run's end", [this] { return !window().controller().active(); });
        showTab(PlotsPage::Runs);
        RunsPage& page = *window().plots()->runsPage();
        wait("the runs", [&page] { return page.list().runs().size() == 2 && !page.list().busy(); });
        take("runs");
        page.select({page.list().runs()[0].directory, page.list().runs()[1].directory});
        const char* tabs[] = {"runs_notes", "runs_settings", "runs_recipe", "runs_modules", "runs_losses"};
        for (int tab = 0; tab < 5; ++tab) {
            page.comparison()->tabs()->setCurrentIndex(tab);
            take(tabs[tab]);
        }
        panel.undoAction()->trigger();
        ready();
    }

    /// The Error tab from afar and near, a question asked in it, and the Overview.
    void takeLens(const std::string& state, const char* module = Module) {
        window().session().selectModule(QString::fromLatin1(module));
        showTab(PlotsPage::Error);
        ErrorPage& page = *window().plots()->errorPage();
        const auto settled = [this] { return errorSettled(); };
        wait("the module's weight", settled);
        take((state + "_error").c_str());
        page.map()->zoomToRow(page.microscope().slides().back().weight->facts().max_error_row);
        wait("the row", settled);
        take((state + "_error_row").c_str());
        page.map()->follow();
        page.showWhatIf(true);
        WhatIf question = page.whatIf()->strip()->question();
        question.weights->num_bits = 8;
        page.whatIf()->strip()->propose(question);
        wait("the answer", [&] { return settled() && page.microscope().slides().back().kind == Slide::Kind::WhatIf; });
        take((state + "_what_if").c_str());
        page.showWhatIf(false);
        showTab(PlotsPage::Overview);
        wait("the overview", [this] { return window().plots()->overviewPage()->loader().complete(); });
        take((state + "_overview").c_str());
    }

    void takeTabs(const std::string& state) {
        showTab(0);
        take((state + "_ranges").c_str());
        showTab(1);
        take((state + "_tokens").c_str());
        showTab(2);
        take((state + "_loss").c_str());
    }

    void dialogs() {
        window().actions().palette->trigger();
        take("palette");
        QTest::keyClick(QApplication::focusWidget() ? QApplication::focusWidget() : &window(), Qt::Key_Escape);
        takeDialog(window().actions().settings, "settings");
        takeDialog(window().actions().exportCheckpoint, "export");
        takeDialog(window().actions().check, "preflight");
        auto* warnings = window().findChild<QDockWidget*>(QStringLiteral("warnings"));
        warnings->raise();
        take("warnings");
    }

    void takeDialog(QAction* action, const char* view) {
        action->trigger();
        QTest::qWait(1500);  // the check before a run reads the model's files
        take(view);
        for (auto* dialog : window().findChildren<QDialog*>()) dialog->close();
    }

    void experts() {
        window().openModel(QStringLiteral(CALIBENCH_RESOURCES "/demo/tiny-qwen3-moe-shakespeare"));
        ready();
        shrink(20);
        window().startRun();
        wait("the run's end", [this] { return window().controller().active() == false; });
        window().session().selectModule(QStringLiteral("model.layers.1.mlp.experts.2.up_proj"));
        takeTabs("experts");
        takeLens("experts", "model.layers.1.mlp.experts.2.up_proj");
    }
};

}  // namespace

int main(int argc, char** argv) {
    QApplication app(argc, argv);
    QApplication::installTranslator(new EnglishPlurals(&app));
    installStyle();
    const bool guide = argc == 3 && QByteArray(argv[1]) == "--guide";
    if ((argc != 2 && !guide) || !QDir().mkpath(QString::fromLocal8Bit(argv[argc - 1]))) {
        std::fprintf(stderr, "usage: calibench-screenshots [--guide] FOLDER\n");
        return 2;
    }
    try {
        if (guide) {
            takeGuidePictures(QString::fromLocal8Bit(argv[2]));
            return 0;
        }
        for (const char* theme : {"light", "dark"}) AllViews(QString::fromLocal8Bit(argv[1]), QString::fromLatin1(theme)).takeAll();
    } catch (const std::exception& error) {
        std::fprintf(stderr, "calibench-screenshots: %s\n", error.what());
        return 1;
    }
    return 0;
}
