#pragma once

#include <QList>
#include <QString>

class QDockWidget;

namespace calibench {

class Actions;
class MainWindow;
class ProjectDocument;
class RunController;
class Settings;

/// The object name of menus that list recent files.
[[nodiscard]] QString recentMenuName();
/// The menu bar: every command in its place, what was opened lately, and a switch for each dock.
void makeMenus(MainWindow& window, Actions& actions, Settings& settings, ProjectDocument& project, const QList<QDockWidget*>& docks);
/// The one toolbar: the commands of a run, and how far it is.
void makeToolBar(MainWindow& window, Actions& actions, const RunController& controller);

}  // namespace calibench
