#pragma once

#include <QMainWindow>

#include "ui/models/log_model.h"
#include "ui/run_controller.h"
#include "ui/session.h"
#include "ui/settings.h"

class QStackedWidget;

namespace calibench {

class Actions;
class DataPanel;
class FileCommands;
class MessageBar;
class ModelPanel;
class PlotsPage;
class RecipePanel;
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

public Q_SLOTS:
    void openModel(const QString& folder);
    void openData(const QString& file);
    void openRecipe(const QString& file);
    void openDemo();
    void startRun();

protected:
    void closeEvent(QCloseEvent* event) override;
    void dragEnterEvent(QDragEnterEvent* event) override;
    void dropEvent(QDropEvent* event) override;

private:
    struct Dock {
        QDockWidget* widget;
        Qt::DockWidgetArea area;  ///< where it stands in the default layout
    };

    void makeCentre(bool hasDemo);
    QDockWidget* addDock(const QString& name, const QString& title, QWidget* content, Qt::DockWidgetArea area);
    void makeDocks();
    void applyDefaultLayout();
    void connectPanels();
    void connectActions();
    void showTitle();
    void askBeforeStopping();
    void askBeforeLosingRecipe();

    Settings& m_settings;
    Session m_session;
    LogModel m_log;
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
    QList<Dock> m_docks;
    bool m_closeWhenEnded = false;
    bool m_recipeMayBeLost = false;
};

}  // namespace calibench
