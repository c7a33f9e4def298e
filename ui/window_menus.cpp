#include "ui/window_menus.h"

#include <QCoreApplication>
#include <QDockWidget>
#include <QFileInfo>
#include <QMenu>
#include <QMenuBar>
#include <QToolBar>
#include <QToolButton>

#include <functional>

#include "ui/actions.h"
#include "ui/main_window.h"
#include "ui/panels/progress_line.h"
#include "ui/project/project_document.h"
#include "ui/recipe/recipe_panel.h"

namespace calibench {

namespace {

QString tr(const char* text) { return QCoreApplication::translate("WindowMenus", text); }

/// A menu of paths that is read anew whenever it opens; what is no longer there stays in it, greyed.
void addRecentMenu(QMenu* parent, const QString& title, std::function<QStringList()> paths, std::function<void(const QString&)> open) {
    QMenu* menu = parent->addMenu(title);
    menu->setObjectName(recentMenuName());
    QObject::connect(menu, &QMenu::aboutToShow, menu, [menu, paths = std::move(paths), open = std::move(open)] {
        menu->clear();
        for (const QString& path : paths()) {
            QAction* action = menu->addAction(path, menu, [open, path] { open(path); });
            action->setEnabled(QFileInfo::exists(path));
        }
        if (menu->isEmpty()) menu->addAction(tr("None yet"))->setEnabled(false);
    });
}

}  // namespace

QString recentMenuName() { return QStringLiteral("recent"); }

void makeMenus(MainWindow& window, Actions& actions, Settings& settings, ProjectDocument& project, const QList<QDockWidget*>& docks) {
    QMenuBar* bar = window.menuBar();
    QMenu* file = bar->addMenu(tr("&File"));
    file->addActions({actions.newProject, actions.openProject});
    using Recent = Settings::Recent;
    addRecentMenu(file, tr("Recent pro&jects"), [&settings] { return settings.recent(Recent::Projects); }, [&window](const QString& path) { window.openProject(path); });
    file->addActions({actions.saveProject, actions.saveProjectAs});
    file->addSeparator();
    file->addActions({actions.openModel, actions.openData, actions.openRecipe, actions.openDemo});
    addRecentMenu(file, tr("Recent mo&dels"), [&settings] { return settings.recent(Recent::Models); }, [&window](const QString& path) { window.openModel(path); });
    addRecentMenu(file, tr("Recent re&cipes"), [&settings] { return settings.recent(Recent::Recipes); }, [&window](const QString& path) { window.openRecipe(path); });
    file->addActions({actions.saveRecipe, actions.saveRecipeAs});
    file->addSeparator();
    file->addActions({actions.savePicture, actions.saveNumbers, actions.saveReport});
    file->addSeparator();
    file->addAction(actions.settings);
    file->addSeparator();
    file->addAction(actions.quit);

    bar->addMenu(tr("&Edit"))->addActions({window.recipePanel()->undoAction(), window.recipePanel()->redoAction()});

    QMenu* run = bar->addMenu(tr("&Run"));
    run->addActions({actions.check, actions.run, actions.rerun, actions.continueRun, actions.pause, actions.stop});
    run->addSeparator();
    run->addActions({actions.exportCheckpoint, actions.openRunFolder});
    addRecentMenu(run, tr("Runs of this p&roject"), [&project] { return QStringList(project.runs().rbegin(), project.runs().rend()); },
                  [&project](const QString& path) { project.showRun(path); });

    QMenu* view = bar->addMenu(tr("&View"));
    for (QDockWidget* dock : docks) view->addAction(dock->toggleViewAction());
    view->addAction(actions.restoreLayout);
    view->addSeparator();
    view->addAction(actions.palette);
    view->addSeparator();
    QMenu* theme = view->addMenu(tr("&Theme"));
    for (QAction* action : actions.themes) theme->addAction(action);
    actions.themes[static_cast<size_t>(settings.theme())]->setChecked(true);

    bar->addMenu(tr("&Help"))->addAction(actions.about);
    for (QMenu* menu : bar->findChildren<QMenu*>()) menu->setToolTipsVisible(true);
}

void makeToolBar(MainWindow& window, Actions& actions, const RunController& controller) {
    QToolBar* bar = window.addToolBar(tr("Run"));
    bar->setObjectName(QStringLiteral("toolbar"));
    bar->setMovable(false);
    bar->setIconSize({18, 18});
    bar->setToolButtonStyle(Qt::ToolButtonTextBesideIcon);
    bar->addAction(actions.openModel);
    qobject_cast<QToolButton*>(bar->widgetForAction(actions.openModel))->setToolButtonStyle(Qt::ToolButtonIconOnly);
    bar->addSeparator();
    bar->addActions({actions.run, actions.pause, actions.stop, actions.exportCheckpoint});
    auto* ways = new QMenu(bar);
    ways->setToolTipsVisible(true);
    ways->addActions({actions.run, actions.rerun, actions.continueRun});
    auto* runButton = qobject_cast<QToolButton*>(bar->widgetForAction(actions.run));
    runButton->setMenu(ways);
    runButton->setPopupMode(QToolButton::MenuButtonPopup);
    bar->addSeparator();
    auto* progress = new ProgressLine(controller);
    progress->setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Preferred);
    bar->addWidget(progress);
}

}  // namespace calibench
