#pragma once

#include <QStringList>

#include "ui/recipe/settings_grid.h"

namespace calibench {

/// What a modifier is and its own settings; those of the `calibench:` section too, which is about the modifier all the same.
class ModifierForm : public SettingsGrid {
    Q_OBJECT

public:
    explicit ModifierForm(QWidget* parent = nullptr);

    void show(const Modifier& modifier, const Json& values);
    [[nodiscard]] QStringList otherKeys() const { return m_otherKeys; }

Q_SIGNALS:
    void changed(const calibench::RecipeChanges& changes);
    void classRequested(const QString& className);

private:
    void addBudget();
    void showBudget(const AutoRoundSettings& settings);

    template <typename T, typename... Args>
    T* addKey(bool ofSection, const char* key, Args&&... args);

    struct Key {
        bool ofSection;  ///< of `calibench:`, not of the modifier
        std::string name;
        Setting* setting;
    };
    RecipePath m_path;
    QStringList m_otherKeys;
    ChoiceSetting* m_class;
    ChoiceSetting* m_budget;
    RealSetting* m_lr;
    std::vector<Key> m_keys;
};

}  // namespace calibench
