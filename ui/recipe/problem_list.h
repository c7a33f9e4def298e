#pragma once

#include <QListWidget>

#include <vector>

#include "core/recipe/recipe.h"

namespace calibench {

/// What is wrong with the recipe, a row each, and below it a row for every fix that is known. A click or Return goes to the line, or
/// makes the fix.
class ProblemList : public QListWidget {
    Q_OBJECT

public:
    explicit ProblemList(QWidget* parent = nullptr);

    void show(const std::vector<Diagnostic>& diagnostics);
    /// While the text is not the one that was checked, its fixes cannot be made.
    void setFixesEnabled(bool enabled);

Q_SIGNALS:
    void lineRequested(int line);
    void fixChosen(const calibench::Fix& fix);

private:
    void activate(const QListWidgetItem* item);
    void addProblem(const Diagnostic& diagnostic);
    void addFix(const Fix& fix);

    std::vector<Fix> m_fixes;
};

}  // namespace calibench
