#pragma once

#include <QObject>
#include <QString>
#include <QStringList>

class QCompleter;
class QStringListModel;

namespace calibench {

class RecipeEditor;
class Session;

/// What may stand at a place of a recipe: keys of the map around it, values of the key before it, targets of the open model.
struct Completions {
    QString word;         ///< what is there already, up to the cursor
    QStringList choices;  ///< all of them, whatever the word
};
/// `before` is the text up to the cursor.
[[nodiscard]] Completions completionsAt(const QString& before, const Session& session);

/// Offers completions in an editor of recipes: on Ctrl+Space, and while a word of two letters or more is being typed.
class RecipeCompleter : public QObject {
    Q_OBJECT

public:
    RecipeCompleter(RecipeEditor& editor, const Session& session);

private:
    void offer(bool asked);
    void insert(const QString& choice);

    RecipeEditor& m_editor;
    const Session& m_session;
    QStringListModel* m_choices;
    QCompleter* m_completer;
    qsizetype m_wordLength = 0;
};

}  // namespace calibench
