#pragma once

#include <QWidget>

#include <vector>

#include "ui/recipe/recipe_change.h"

class QLabel;
class QToolButton;
class QVBoxLayout;

namespace calibench {

class TargetMatcher;
class TargetRow;

/// A list of targets, each with the number of modules that it matches. What is typed is in the recipe with every key, unless
/// it is no pattern yet; a target under the pointer or with the cursor in it is pointed at.
class TargetListEdit : public QWidget {
    Q_OBJECT

public:
    enum class Emptiness { Allowed, Refused };

    /// `title` names the list for those who cannot see it.
    TargetListEdit(TargetMatcher& matcher, const QString& title, Emptiness emptiness, QWidget* parent = nullptr);

    /// `list` is what the text says at `path`, null when it does not; then the targets of `fallback` hold and are shown greyed.
    void show(const RecipePath& path, const Json* list, const QStringList& fallback = {});
    /// A row to type a target into; it is in the recipe once something is typed.
    void addTarget();
    void editFirst();

Q_SIGNALS:
    void changed(const calibench::RecipeChanges& changes);
    void pointedAt(const QString& target);  ///< empty: at none; again when more is known of the target

private:
    [[nodiscard]] TargetRow* makeRow();
    void drop(TargetRow* row);
    void fitRows(size_t count);
    void typed(TargetRow* row);
    void remove(TargetRow* row);
    void point();
    [[nodiscard]] size_t indexOf(const TargetRow* row) const;

    TargetMatcher& m_matcher;
    const QString m_title;
    const Emptiness m_emptiness;
    RecipePath m_path;
    size_t m_listed = 0;    ///< items of the text's list; rows stand for the first of them
    bool m_isList = false;  ///< a list whose items can be changed one by one; otherwise it is written whole
    std::vector<TargetRow*> m_rows;
    TargetRow* m_new = nullptr;  ///< below the others, until it is in the text
    QVBoxLayout* m_layout;
    QLabel* m_more;
    QToolButton* m_add;
};

}  // namespace calibench
