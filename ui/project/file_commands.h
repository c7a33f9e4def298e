#pragma once

#include <QObject>

class QWidget;

namespace calibench {

class MessageBar;
class RecipePanel;
class RunController;
class Session;
class Settings;

/// Opening models, texts and recipes one by one, and saving recipes: the dialogs, the lists of recent files, and what is said when it fails.
class FileCommands : public QObject {
    Q_OBJECT

public:
    /// `window` is the parent of dialogs and of this object; `resources` holds the demo and the example recipes.
    FileCommands(Session& session, const RunController& controller, RecipePanel& recipe, Settings& settings, MessageBar& messages,
                 QString resources, QWidget* window);

    void openModel(const QString& folder);
    void openData(const QString& file);
    void openRecipe(const QString& file);
    /// A folder below resources/demo, with its text and a recipe that is nobody's file: saving it never writes to the sample.
    void openDemo(const QString& folder);
    /// Shows a sample in the editor, on the demo when no model is open.
    void openSample(const QString& recipeFile);

    void chooseModel();
    void chooseData();
    void chooseRecipe();

    /// False when nothing was saved: the user changed their mind, or the disk does not play along.
    bool saveRecipe();
    bool saveRecipeAs();

private:
    bool saveRecipeTo(const QString& file);
    void setSampleRecipe(const QString& recipeFile);

    Session& m_session;
    const RunController& m_controller;
    RecipePanel& m_recipe;
    Settings& m_settings;
    MessageBar& m_messages;
    const QString m_resources;
    QWidget* m_window;
};

}  // namespace calibench
