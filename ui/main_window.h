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
class MessageBar;
class ModelPanel;
class PlotsPage;
class RecipePanel;
struct DroppedFiles;

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
    void makeDocks();
    void makeMenusAndToolBar();
    void connectActions();
    void connectRun();
    void applyDefaultLayout();

    void chooseModel();
    void chooseData();
    void chooseRecipe();
    bool saveRecipe();
    bool saveRecipeAs();
    bool saveRecipeTo(const QString& file);
    void showExportDialog();
    void openRunFolder();
    void showEnding(const RunSummary& summary);
    void showTitle();
    void askBeforeStopping();
    void askBeforeLosingRecipe();

    Settings& m_settings;
    const QString m_resources;
    Session m_session;
    LogModel m_log;
    RunController m_controller;
    Actions* m_actions;
    MessageBar* m_messages;
    QStackedWidget* m_centre;
    PlotsPage* m_plots;
    ModelPanel* m_modelPanel = nullptr;
    DataPanel* m_dataPanel = nullptr;
    RecipePanel* m_recipePanel = nullptr;
    QList<QDockWidget*> m_docks;
    bool m_closeWhenEnded = false;
    bool m_recipeMayBeLost = false;
};

}  // namespace calibench
