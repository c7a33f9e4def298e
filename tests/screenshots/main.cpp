// calibench-screenshots FOLDER: every view of the window, in light and dark, as FOLDER/<view>-<theme>[@2x].png. The scale is
// Qt's own (QT_SCALE_FACTOR).

#include <QApplication>
#include <QDialog>
#include <QDir>
#include <QDockWidget>
#include <QPainter>
#include <QSettings>
#include <QTemporaryDir>
#include <QTest>
#include <QTreeView>

#include <cstdio>
#include <functional>
#include <stdexcept>

#include "app/gui/core_services.h"
#include "ui/actions.h"
#include "ui/english_plurals.h"
#include "ui/main_window.h"
#include "ui/panels/model_panel.h"
#include "ui/lens/error_page.h"
#include "ui/lens/map_plot.h"
#include "ui/lens/what_if_panel.h"
#include "ui/overview/overview_page.h"
#include "ui/panels/plots_page.h"
#include "ui/recipe/recipe_editor.h"
#include "ui/recipe/recipe_panel.h"
#include "ui/theme.h"

using namespace calibench;
using State = RunController::State;

namespace {

class Photographer {
public:
    Photographer(const QString& folder, const QString& theme)
        : m_folder(folder), m_theme(theme), m_settings(settingsFile()),
          m_window(coreServices(), m_settings, QStringLiteral(CALIBENCH_RESOURCES)) {
        applyTheme(theme == QStringLiteral("dark") ? Theme::Dark : Theme::Light);
        m_window.resize(1440, 900);
        m_window.show();
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

    QString settingsFile() const {
        const QString file = m_temporary.filePath(QStringLiteral("settings.ini"));
        QSettings(file, QSettings::IniFormat).setValue(QStringLiteral("run/workspace"), m_temporary.filePath(QStringLiteral("runs")));
        return file;
    }

    void wait(const char* what, const std::function<bool()>& done) const {
        if (!QTest::qWaitFor(done, 300'000)) throw std::runtime_error(std::string("waited in vain: ") + what);
    }

    /// The window with what is open above it: dialogs, menus, the palette.
    void take(const char* view) {
        QTest::qWait(400);  // plots draw and docks settle some turns later
        QPixmap picture = m_window.grab();
        QPainter painter(&picture);
        for (QWidget* top : QApplication::topLevelWidgets())
            if (top != &m_window && top->isVisible() && top->parentWidget()) painter.drawPixmap(top->pos() - m_window.pos(), top->grab());
        painter.end();
        const QString scale = picture.devicePixelRatio() > 1 ? QStringLiteral("@%1x").arg(picture.devicePixelRatio()) : QString();
        const QString file = m_folder + QStringLiteral("/%1-%2%3.png").arg(QString::fromLatin1(view), m_theme, scale);
        if (!picture.save(file)) throw std::runtime_error(file.toStdString() + " cannot be written");
        std::printf("%s\n", qPrintable(file));
    }

    void ready() {
        wait("the model and its recipe", [this] { return m_window.session().obstacle().isEmpty(); });
    }

    void shrink(int iters) {
        DataSettings data = m_window.session().data();
        data.numSamples = 16;
        data.seqLen = 64;
        data.iters = iters;
        m_window.session().setData(data);
    }

    void showTab(int tab) { m_window.plots()->setCurrentTab(tab); }

    void recipe() {
        m_window.openDemo();
        ready();
        RecipePanel& panel = *m_window.recipePanel();
        take("idle");
        panel.setView(RecipePanel::View::Yaml);
        take("recipe_yaml");
        panel.setView(RecipePanel::View::Form);

        QSet<QString> matched;
        for (const ModuleInfo& module : m_window.session().model().modules)
            if (module.name.ends_with("_proj") && module.name.find("self_attn") != std::string::npos) matched.insert(QString::fromStdString(module.name));
        m_window.session().highlightModules(matched);
        take("target_matches");
        m_window.session().highlightModules({});
        takeLens("idle");
        showTab(PlotsPage::Ranges);

        const QString text = panel.editor()->text();
        m_window.session().changeRecipe(QString(text).replace(QStringLiteral("group_size: 64"), QStringLiteral("group_size: 96")));
        wait("the problems", [this] { return !m_window.session().checkingRecipe() && m_window.session().errorCount() > 0; });
        panel.setView(RecipePanel::View::Yaml);
        take("recipe_problem");
        panel.setView(RecipePanel::View::Form);
        panel.undoAction()->trigger();
        ready();
    }

    void run() {
        RunController& controller = m_window.controller();
        shrink(120);
        showTab(2);
        m_window.startRun();
        const auto tuned = [&controller](size_t block, size_t iterations) {
            const auto& blocks = controller.record().blocks();
            return blocks.size() > block && blocks[block].losses().size() > iterations;
        };
        wait("the second block", [&] { return tuned(1, 25); });
        take("running_loss");
        showTab(0);
        wait("the third block", [&] { return tuned(2, 40); });
        take("running_ranges");
        showTab(2);
        m_window.actions().pause->trigger();
        take("paused");
        m_window.actions().pause->trigger();
        wait("the run's end", [&] { return !controller.active(); });
        m_window.session().selectModule(QString::fromLatin1(Module));
        takeTabs("finished");
        takeLens("finished");
    }

    /// The Error tab from afar and near, a question asked in it, and the Overview.
    void takeLens(const std::string& state, const char* module = Module) {
        m_window.session().selectModule(QString::fromLatin1(module));
        showTab(PlotsPage::Error);
        ErrorPage& page = *m_window.plots()->errorPage();
        const auto settled = [&page] { return page.microscope().state() == Microscope::State::Ready && page.settled(); };
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
        wait("the overview", [this] { return m_window.plots()->overviewPage()->loader().complete(); });
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
        m_window.actions().palette->trigger();
        take("palette");
        QTest::keyClick(QApplication::focusWidget() ? QApplication::focusWidget() : &m_window, Qt::Key_Escape);
        takeDialog(m_window.actions().settings, "settings");
        takeDialog(m_window.actions().exportCheckpoint, "export");
        takeDialog(m_window.actions().check, "preflight");
        auto* warnings = m_window.findChild<QDockWidget*>(QStringLiteral("warnings"));
        warnings->raise();
        take("warnings");
    }

    void takeDialog(QAction* action, const char* view) {
        action->trigger();
        QTest::qWait(1500);  // the check before a run reads the model's files
        take(view);
        for (auto* dialog : m_window.findChildren<QDialog*>()) dialog->close();
    }

    void experts() {
        m_window.openModel(QStringLiteral(CALIBENCH_RESOURCES "/demo/tiny-qwen3-moe-shakespeare"));
        ready();
        shrink(20);
        m_window.startRun();
        wait("the run's end", [this] { return m_window.controller().active() == false; });
        m_window.session().selectModule(QStringLiteral("model.layers.1.mlp.experts.2.up_proj"));
        takeTabs("experts");
        takeLens("experts", "model.layers.1.mlp.experts.2.up_proj");
    }

    const QString m_folder, m_theme;
    const QTemporaryDir m_temporary;
    Settings m_settings;
    MainWindow m_window;
};

}  // namespace

int main(int argc, char** argv) {
    QApplication app(argc, argv);
    QApplication::installTranslator(new EnglishPlurals(&app));
    installStyle();
    if (argc != 2 || !QDir().mkpath(QString::fromLocal8Bit(argv[1]))) {
        std::fprintf(stderr, "usage: calibench-screenshots FOLDER\n");
        return 2;
    }
    try {
        for (const char* theme : {"light", "dark"}) Photographer(QString::fromLocal8Bit(argv[1]), QString::fromLatin1(theme)).takeAll();
    } catch (const std::exception& error) {
        std::fprintf(stderr, "calibench-screenshots: %s\n", error.what());
        return 1;
    }
    return 0;
}
