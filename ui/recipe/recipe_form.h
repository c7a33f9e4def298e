#pragma once

#include <QWidget>

#include <optional>
#include <vector>

#include "ui/recipe/group_shares.h"
#include "ui/recipe/setting.h"

class QComboBox;
class QFrame;
class QLabel;
class QPushButton;
class QScrollArea;
class QVBoxLayout;

namespace calibench {

class ArgsForm;
class GroupForm;
class ModifierForm;
class Session;
class TargetListEdit;
class TargetMatcher;

/// The recipe as a form. The text stays the truth: the form shows what the text says and answers every change of its own with a new
/// text, in which only what was changed is different. While the text cannot be read it shows the last state, disabled.
class RecipeForm : public QWidget {
    Q_OBJECT

public:
    explicit RecipeForm(Session& session, QWidget* parent = nullptr);

    /// Shows the session's text as it is now, without waiting for its check.
    void refill();

Q_SIGNALS:
    /// Changes with the same `place` in a row are one step; an empty one is always a step of its own.
    void edited(const QString& yaml, const QString& place);
    void lineRequested(int line);
    void yamlRequested();

private:
    QWidget* makeProblem();
    QWidget* makeContent();
    void makeScheme(QVBoxLayout* layout);
    [[nodiscard]] TargetListEdit* makeTargets(const QString& title);
    void show(const std::optional<Recipe>& recipe, const std::vector<Diagnostic>& diagnostics);
    void showProblem(const QString& sentence, int line);
    void fill();
    void fillScheme();
    void fillGroups();
    void fillOtherKeys();
    void showResolved();

    void apply(const RecipeChanges& changes);
    void offer(const std::string& text, const QString& place);
    void changeClass(const QString& className);
    void changeScheme(const std::string& preset);
    void addGroup();
    void start();
    void point(const QString& target);

    [[nodiscard]] const Modifier& modifier() const { return m_recipe->modifiers[m_index]; }
    [[nodiscard]] const Json* said(const std::string& key) const;
    [[nodiscard]] RecipeChanges asOwnGroups() const;
    [[nodiscard]] std::string targetForNewGroup() const;

    Session& m_session;
    TargetMatcher* m_matcher;
    std::optional<Recipe> m_recipe;  ///< the last that could be read, with what its text says
    Json m_values;
    size_t m_index = 0;  ///< of the modifier that is shown
    int m_problemLine = 0;
    GroupShares m_shares;

    QFrame* m_problem;
    QLabel* m_problemText;
    QPushButton *m_goToLine, *m_start;
    QScrollArea* m_scroll;
    QWidget* m_content;
    QComboBox* m_modifiers;
    ModifierForm* m_modifierForm;
    ChoiceSetting* m_scheme;
    QLabel *m_schemeHelp, *m_targetsLabel;
    TargetListEdit *m_targets, *m_ignore;
    QVBoxLayout* m_groupsLayout;
    std::vector<GroupForm*> m_groups;
    QWidget* m_addGroup;
    ArgsForm* m_kvCache;
    QPushButton* m_otherKeys;
};

}  // namespace calibench
