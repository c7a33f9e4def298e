#pragma once

#include <QMainWindow>

#include "ui/models/log_model.h"
#include "ui/models/warning_model.h"
#include "ui/run_controller.h"
#include "ui/session.h"
#include "ui/settings.h"

class QStackedWidget;

namespace calibench {

class Actions;
class CommandPalette;
class DataPanel;
class Autosave;
class FileCommands;
class MessageBar;
class ModelPanel;
class PlotsPage;
class ProjectCommands;
class FileSaver;
class ProjectDocument;
class RecipePanel;
class ReportCommands;
class RerunOffer;
class RunEndings;

/// The window: puts the parts together and answers the commands. What the parts do is theirs.
class MainWindow : public QMainWindow {
    Q_OBJECT

public:
    /// `resources` is the folder of the demo and the example recipes. `settings` must outlive the window.
    MainWindow(CoreServices services, Settings& settings, const QString& resources, QWidget* parent = nullptr);
    ~MainWindow() override;

    [[nodiscard]] Session& session() { return m_session; }
    [[nodiscard]] RunController& controller() { return m_controller; }
    [[nodiscard]] Actions& actions() { return *m_actions; }
    [[nodiscard]] MessageBar* messages() const { return m_messages; }
    [[nodiscard]] RecipePanel* recipePanel() const { return m_recipePanel; }

    [[nodiscard]] ProjectDocument& project() { return *m_project; }
    [[nodiscard]] ProjectCommands& projects() { return *m_projects; }
    [[nodiscard]] Autosave& autosave() { return *m_autosave; }
    [[nodiscard]] PlotsPage* plots() const { return m_plots; }
    [[nodiscard]] FileSaver& saver() { return *m_saver; }
    [[nodiscard]] ReportCommands& reports() { return *m_reports; }

public Q_SLOTS:
    void openProject(const QString& file);
    void openModel(const QString& folder);
    void openData(const QString& file);
    void openRecipe(const QString& file);
    /// Shows a sample recipe, on the demo when no model is open.
    void openSample(const QString& recipeFile);
    void openDemo();  ///< the first of the bundled ones, in a new project
    void startRun();
    void startRerun();  ///< of what changed since an earlier run; ignored when there is none to take blocks over from

protected:
    /// Keeps the palette's shortcut from text fields, which would delete to the end of the line.
    bool eventFilter(QObject* watched, QEvent* event) override;
    void closeEvent(QCloseEvent* event) override;
    void dragEnterEvent(QDragEnterEvent* event) override;
    void dropEvent(QDropEvent* event) override;

private:
    struct Dock {
        QDockWidget* widget;
        Qt::DockWidgetArea area;  ///< where it stands in the default layout
    };

    void makeCentre();
    QDockWidget* addDock(const QString& name, const QString& title, QWidget* content, Qt::DockWidgetArea area);
    void makeDocks();
    void applyDefaultLayout();
    void connectPanels();
    void connectActions();
    void showTitle();
    void askBeforeStopping();
    void openDemoModel(const QString& folder);
    void showPalette();
    void showSettings();
    void connectRuns();
    void start(RunConfig config);
    [[nodiscard]] RunConfig runConfig() const;  ///< the session's, on this computer as the settings say

    Settings& m_settings;
    const QString m_resources;
    Session m_session;
    LogModel m_log;
    WarningModel m_warnings;
    RunController m_controller;
    Actions* m_actions;
    MessageBar* m_messages;
    QStackedWidget* m_centre;
    PlotsPage* m_plots;
    ModelPanel* m_modelPanel;
    DataPanel* m_dataPanel;
    RecipePanel* m_recipePanel;
    FileCommands* m_files;
    RunEndings* m_endings;
    ProjectDocument* m_project;
    ProjectCommands* m_projects;
    Autosave* m_autosave;
    RerunOffer* m_rerun;
    FileSaver* m_saver;
    ReportCommands* m_reports;
    QList<Dock> m_docks;
    CommandPalette* m_palette = nullptr;  ///< made when first asked for, like every dialog
    bool m_closeWhenEnded = false;
    bool m_mayLoseChanges = false;
};

}  // namespace calibench
