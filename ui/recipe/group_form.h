#pragma once

#include <QWidget>

#include "ui/recipe/args_form.h"

class QLabel;
class QToolButton;

namespace calibench {

class TargetListEdit;
class TargetMatcher;

/// One entry of config_groups: which modules, and how their weights, inputs and outputs are quantized.
class GroupForm : public QWidget {
    Q_OBJECT

public:
    GroupForm(TargetMatcher& matcher, const std::vector<std::string>& observers, QWidget* parent = nullptr);

    /// `value` is what the text says of the group at `path`, `scheme` what follows from it.
    void show(const RecipePath& path, const Json& value, const QuantizationScheme& scheme);
    void setSummary(const QString& summary, const QString& help);
    void setFittingSizes(const std::vector<int64_t>& ofColumns, const std::vector<int64_t>& ofRows);
    void setRemovalObstacle(const QString& obstacle);  ///< empty: it can be removed
    void editFirstTarget();
    [[nodiscard]] QStringList otherKeys() const;

Q_SIGNALS:
    void changed(const calibench::RecipeChanges& changes);
    void pointedAt(const QString& target);

private:
    RecipePath m_path;
    QStringList m_otherKeys;
    QLabel *m_name, *m_summary;
    QToolButton* m_remove;
    TargetListEdit* m_targets;
    ArgsForm *m_weights, *m_inputs, *m_outputs;
};

}  // namespace calibench
