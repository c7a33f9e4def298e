#include "tests/screenshots/guide_pictures.h"

#include <QLineEdit>
#include <QPushButton>
#include <QTabWidget>
#include <QTest>
#include <QTreeView>

#include <functional>
#include <string>

#include "tests/screenshots/planted_model.h"
#include "tests/screenshots/studio.h"
#include "ui/actions.h"
#include "ui/dialogs/export_dialog.h"
#include "ui/format.h"
#include "ui/lens/error_page.h"
#include "ui/lens/map_plot.h"
#include "ui/lens/what_if_panel.h"
#include "ui/overview/overview_model.h"
#include "ui/overview/overview_page.h"
#include "ui/panels/message_bar.h"
#include "ui/panels/plots_page.h"
#include "ui/runs/run_comparison.h"
#include "ui/runs/runs_page.h"
#include "ui/theme.h"

namespace calibench {

namespace {

namespace fs = std::filesystem;

constexpr const char* FourBits = "quant_stage:\n  quant_modifiers:\n    QuantizationModifier:\n      ignore: [lm_head]\n      config_groups:\n        group_0:\n"
                                 "          targets: [Linear]\n          weights: {num_bits: 4, type: int, symmetric: true, strategy: group, group_size: 64}\n";

class Guide : public Studio {
public:
    explicit Guide(const QString& folder) : Studio(folder, {}) { applyTheme(Theme::Light); }

    /// The overview of a model with a fault, and the Error tab of the row that it puts first.
    void fault(const char* name, const std::function<void(const fs::path& exported)>& plant) {
        const std::string view(name);
        useRecipe(QString::fromLatin1(FourBits));
        shrink(-1);
        runThrough();
        plant(window().controller().summary()->output_dir);
        window().messages()->dismiss();
        overview();
        take((view + "_overview").c_str(), *window().plots());
        error();
        take((view + "_error").c_str(), *window().plots());
    }
    void openModel(const fs::path& model) {
        window().openDemo();
        window().openModel(toText(model));
        ready();
    }
    [[nodiscard]] fs::path loudModel() const {
        const fs::path model = toPath(temporaryFile(QStringLiteral("tiny-llama-loud")));
        fs::copy(CALIBENCH_RESOURCES "/demo/tiny-llama-shakespeare", model);
        plantLoudNeuron(model);
        return model;
    }

    /// resources/guide/first-checkpoint.md
    void walk() {
        take("start");
        window().openDemo();
        ready();
        take("demo");
        shrink(120);
        window().startRun();
        wait("the third block", [this] { return window().controller().record().blocks().size() > 2 && window().controller().record().blocks()[2].losses().size() > 40; });
        take("running");
        wait("the run's end", [this] { return !window().controller().active(); });
        window().messages()->dismiss();
        overview();
        take("overview");
        pickAll(QStringLiteral("down_proj"));
        take("picked");
        error();
        ask();
        take("what_if");
        const fs::path first = window().controller().config().run_dir;
        const QString before = window().session().recipe();
        window().plots()->errorPage()->whatIf()->strip()->applyButton()->click();
        wait("the changed recipe", [this, before] { return window().session().recipe() != before && !window().session().checkingRecipe(); });
        ready();
        take("applied");
        runThrough();
        window().plots()->errorPage()->showWhatIf(false);
        window().plots()->overviewPage()->findChild<QLineEdit*>()->clear();
        overview();
        take("after");
        compare({toText(first), toText(window().controller().config().run_dir)});
        exportIt();
    }

private:
    void useRecipe(const QString& recipe) {
        window().session().changeRecipe(recipe);
        wait("the recipe", [this, recipe] { return window().session().recipe() == recipe && !window().session().checkingRecipe(); });
        ready();
    }

    /// With its first row selected.
    void overview() {
        showTab(PlotsPage::Overview);
        OverviewPage& page = *window().plots()->overviewPage();
        wait("the overview", [&page] { return page.loader().complete(); });
        QTest::qWait(200);  // rows find their places
        page.table()->setCurrentIndex(page.table()->model()->index(0, 0));
        page.table()->scrollToTop();
    }

    void error() {
        showTab(PlotsPage::Error);
        wait("the module's weight", [this] { return errorSettled(); });
    }

    /// All rows of the overview that a filter leaves.
    void pickAll(const QString& filter) {
        OverviewPage& page = *window().plots()->overviewPage();
        page.findChild<QLineEdit*>()->setText(filter);
        page.table()->setFocus();
        page.table()->selectAll();
    }

    /// Eight bits for the modules that are picked.
    void ask() {
        ErrorPage& page = *window().plots()->errorPage();
        page.showWhatIf(true);
        WhatIf question = page.whatIf()->strip()->question();
        question.weights->num_bits = 8;
        page.whatIf()->strip()->propose(question);
        wait("the answer", [this, &page] { return errorSettled() && page.whatIf()->strip()->effect().contains(QStringLiteral("mean SQNR")); });
    }

    void compare(const QStringList& runs) {
        showTab(PlotsPage::Runs);
        auto* page = window().findChild<RunsPage*>();
        wait("the runs", [page, &runs] {
            page->select(runs);
            return page->selected() == runs;
        });
        auto* tabs = page->comparison()->findChild<QTabWidget*>();
        for (int i = 0; i < tabs->count(); ++i)
            if (tabs->tabText(i) == QStringLiteral("Modules")) tabs->setCurrentIndex(i);
        QTest::qWait(1000);  // both are read
        take("compared");
    }

    void exportIt() {
        window().actions().exportCheckpoint->trigger();
        auto* dialog = window().findChild<ExportDialog*>();
        wait("the checkpoint's facts", [dialog] { return dialog->exportButton()->isEnabled(); });
        dialog->exportButton()->click();
        wait("the copy", [dialog] { return dialog->closeButton()->text() == QStringLiteral("Close"); });
        take("exported", *dialog);
        dialog->close();
    }
};

}  // namespace

void takeGuidePictures(const QString& folder) {
    Guide(folder).walk();
    {
        Guide guide(folder);
        guide.openModel(CALIBENCH_RESOURCES "/demo/tiny-llama-shakespeare");
        guide.fault("scale", plantLargeScale);
    }
    {
        Guide guide(folder);
        guide.openModel(CALIBENCH_RESOURCES "/demo/tiny-llama-shakespeare");
        guide.fault("constant", plantConstantProjection);
    }
    Guide guide(folder);
    guide.openModel(guide.loudModel());
    guide.fault("outliers", [](const fs::path&) {});
}

}  // namespace calibench
