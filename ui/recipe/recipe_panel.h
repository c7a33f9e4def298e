#pragma once

#include <QWidget>

class QLabel;
class QListWidget;
class QMenu;
class QToolButton;

namespace calibench {

class RecipeEditor;
class Session;

/// The recipe as a document: presets, open and save, the editor, and what is wrong with it.
class RecipePanel : public QWidget {
    Q_OBJECT

public:
    /// `presetFolder` holds *.yaml files; the first comment line of each is its description.
    RecipePanel(Session& session, const QString& presetFolder, QWidget* parent = nullptr);

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

Q_SIGNALS:
    void openRequested();
    void saveRequested();
    void documentChanged();  ///< file() or modified()

private:
    void fillPresets(QMenu* menu, const QString& folder);
    void rewrite();
    void showChecked();

    Session& m_session;
    QString m_file;
    RecipeEditor* m_editor;
    QLabel* m_count;
    QListWidget* m_problems;
    QToolButton* m_rewrite;
};

}  // namespace calibench
