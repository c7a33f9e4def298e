#pragma once

#include <QPlainTextEdit>

#include <vector>

#include "core/recipe/recipe.h"

namespace calibench {

class YamlHighlighter;

/// A YAML editor with line numbers that underlines what is wrong where it is wrong.
class RecipeEditor : public QPlainTextEdit {
    Q_OBJECT

public:
    explicit RecipeEditor(QWidget* parent = nullptr);

    void setDiagnostics(std::vector<Diagnostic> diagnostics);
    /// The sentences that belong to a line, 1-based; empty when it has none.
    [[nodiscard]] QString problemsOfLine(int line) const;
    void goToLine(int line);
    /// Replaces all of the text as one step that can be undone.
    void replaceText(const QString& text);

protected:
    bool event(QEvent* event) override;
    void changeEvent(QEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;
    bool canInsertFromMimeData(const QMimeData* source) const override;

private:
    class Gutter;

    [[nodiscard]] int gutterWidth() const;
    void updateGutterWidth();
    void paintGutter(QPaintEvent* event);
    void underlineProblems();

    QWidget* m_gutter;
    YamlHighlighter* m_highlighter;
    std::vector<Diagnostic> m_diagnostics;
};

}  // namespace calibench
