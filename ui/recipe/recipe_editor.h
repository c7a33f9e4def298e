#pragma once

#include <QPlainTextEdit>

#include <vector>

#include "core/recipe/recipe.h"

class QCompleter;

namespace calibench {

class YamlHighlighter;

/// A YAML editor with line numbers that underlines what is wrong where it is wrong, and offers the fixes that are known.
class RecipeEditor : public QPlainTextEdit {
    Q_OBJECT

public:
    explicit RecipeEditor(QWidget* parent = nullptr);

    void setDiagnostics(std::vector<Diagnostic> diagnostics);
    /// The sentences that belong to a line, 1-based; empty when it has none.
    [[nodiscard]] QString problemsOfLine(int line) const;
    /// While the text is not the one that was checked, its fixes cannot be made. setDiagnostics() enables them.
    void setFixesEnabled(bool enabled);
    /// Changes of the text that would settle a problem of that line, if they can be made.
    [[nodiscard]] std::vector<Fix> fixesOfLine(int line) const;
    void goToLine(int line);
    /// What is written, to the last byte: toPlainText() makes spaces of no-break spaces.
    [[nodiscard]] QString text() const;
    /// Makes the text `text`, as one step that can be undone. Only what differs is touched, so that the cursor and the view stay
    /// where they are. Calls with the same `place` in a row are one step together; an empty place always is a step of its own.
    void replaceText(const QString& text, const QString& place = {});
    /// The next replaceText() is a step of its own.
    void endStep() { m_place.clear(); }
    /// Keys that choose from open completions are left to them.
    void setCompleter(QCompleter* completer) { m_completer = completer; }
    /// Offers the fixes of the cursor's line in a menu.
    void showFixes();

Q_SIGNALS:
    void fixChosen(const calibench::Fix& fix);
    void typed();  ///< a character, or with completions open anything that changes the word
    void completionRequested();

protected:
    bool event(QEvent* event) override;
    void changeEvent(QEvent* event) override;
    void contextMenuEvent(QContextMenuEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;
    bool canInsertFromMimeData(const QMimeData* source) const override;

private:
    class Gutter;

    [[nodiscard]] int gutterWidth() const;
    void updateGutterWidth();
    void paintGutter(QPaintEvent* event);
    void pressGutter(const QMouseEvent* event);
    [[nodiscard]] QList<QAction*> makeFixActions(int line, QObject* parent);
    void openFixMenu(int line, const QPoint& at);
    void underlineProblems();

    QWidget* m_gutter;
    YamlHighlighter* m_highlighter;
    std::vector<Diagnostic> m_diagnostics;
    bool m_fixesEnabled = true;
    QCompleter* m_completer = nullptr;
    QString m_place;  ///< of the last replaceText(), and the document's revision after it
    int m_placeRevision = -1;
};

}  // namespace calibench
