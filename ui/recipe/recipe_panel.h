#pragma once

#include <QWidget>

#include "core/recipe/recipe.h"
#include "ui/recipe/recipe_text.h"

class QAction;
class QLabel;
class QMenu;
class QSplitter;
class QToolButton;

namespace calibench {

class ProblemList;
class RecipeEditor;
class RecipeForm;
class Session;
class Settings;

/// The recipe as a document: presets, open and save, a form and a YAML editor for the same text, what the recipe does to the model
/// and what is wrong with it. One undo stack, the editor's, is that of all who change the recipe.
class RecipePanel : public QWidget {
    Q_OBJECT

public:
    enum class View { Form, Yaml, Both };

    /// `resources` holds the sample recipes, which are offered as presets.
    RecipePanel(Session& session, Settings& settings, const QString& resources, QWidget* parent = nullptr);

    /// Both return an error sentence, empty on success.
    [[nodiscard]] QString open(const QString& file);
    [[nodiscard]] QString saveTo(const QString& file);
    /// Another document: `text` as it is saved in `file`, or in no file of its own when that is empty.
    void setDocument(const QString& text, const QString& file);
    /// llm-compressor skips modifiers without a group's name: writes the text anew in the form it reads. False: nothing to do.
    bool rewriteOlderSpelling();
    [[nodiscard]] QString file() const { return m_file; }
    [[nodiscard]] bool modified() const;
    [[nodiscard]] RecipeEditor* editor() const { return m_editor; }
    [[nodiscard]] RecipeForm* form() const { return m_form; }
    /// Of the recipe, whoever changed it; for the Edit menu.
    [[nodiscard]] QAction* undoAction() const { return m_undo; }
    [[nodiscard]] QAction* redoAction() const { return m_redo; }
    [[nodiscard]] View view() const { return m_view; }
    void setView(View view);

Q_SIGNALS:
    void openRequested();
    void saveRequested();
    void documentChanged();  ///< file() or modified()

protected:
    void resizeEvent(QResizeEvent* event) override;

private:
    QWidget* makeToolBar(const QString& resources);
    void fillPresets(QMenu* menu, const QString& resources);
    void makeUndo();
    void connectEditor();
    void change(const QString& yaml, const QString& place = {});
    void makeFix(const Fix& fix);
    void goToLine(int line);
    void rewrite();
    [[nodiscard]] static QString inShort(const std::vector<Diagnostic>& diagnostics);
    void showChecked();
    void showEffect();

    Session& m_session;
    Settings& m_settings;
    QString m_file;
    RecipeText m_saved;  ///< as the file has it: line ends, byte order mark
    View m_view = View::Form;
    RecipeEditor* m_editor;
    RecipeForm* m_form;
    QSplitter* m_views;
    QLabel *m_effect, *m_count;
    ProblemList* m_problems;
    QList<QToolButton*> m_switch;  ///< in the order of enum View
    QToolButton* m_rewrite;
    QAction *m_undo, *m_redo;
};

}  // namespace calibench
