#pragma once

#include <QString>

#include <functional>
#include <optional>
#include <vector>

#include "ui/recipe/recipe_change.h"

class QCheckBox;
class QComboBox;
class QLabel;
class QLineEdit;
class QSpinBox;
class QToolButton;
class QWidget;

namespace calibench {

/// One key of the recipe as a row of the form: a label, an editor, and a button that takes the key out of the text again. While
/// the text does not name the key, the editor shows its default, greyed.
class Setting {
public:
    struct Words {
        QString label;
        QString help;  ///< what it means, for the tooltip
    };

    virtual ~Setting() = default;

    /// The user's doing: a new value, or none any more. `typed`: one key stroke of several.
    std::function<void(std::optional<Json> value, bool typed)> changed;

    /// What the text says, null when it does not. Leaves an editor alone that shows just that, cursor and all.
    void show(const Json* value);
    void setDefault(const Json& value) { m_default = value; }  ///< shown from the next show() on
    void setRequired(bool required) { m_required = required; }  ///< without a way to take it out
    void setVisible(bool visible);
    /// Mutes or unmutes the editor anew after a change of the palette.
    void restyle();

    [[nodiscard]] QWidget* label() const;
    [[nodiscard]] QWidget* editor() const { return m_editor; }
    [[nodiscard]] QWidget* reset() const;

protected:
    Setting(const Words& words, const Json& fallback, QWidget* editor);
    virtual void showValue(const Json& value) = 0;
    void report(std::optional<Json> value, bool typed = false);

private:
    void keepResetsPlace(bool keep);

    QLabel* m_label;
    QWidget* m_editor;
    QToolButton* m_reset;
    Json m_default;
    bool m_required = false;
    bool m_visible = true;
    bool m_isSet = false;
};

class IntegerSetting : public Setting {
public:
    IntegerSetting(const Words& words, int fallback, int low, int high);

protected:
    void showValue(const Json& value) override;

private:
    QSpinBox* m_box;
};

/// A positive number that may be left out; the placeholder says what happens then.
class RealSetting : public Setting {
public:
    explicit RealSetting(const Words& words);
    void setPlaceholder(const QString& text);

protected:
    void showValue(const Json& value) override;

private:
    QLineEdit* m_edit;
};

class ToggleSetting : public Setting {
public:
    ToggleSetting(const Words& words, bool fallback);

protected:
    void showValue(const Json& value) override;

private:
    QCheckBox* m_box;
};

class ChoiceSetting : public Setting {
public:
    struct Choice {
        Json value;  ///< null: the key is taken out
        QString text;
        QString help = {};
    };

    ChoiceSetting(const Words& words, const Json& fallback, std::vector<Choice> choices);
    void setChoices(std::vector<Choice> choices);

protected:
    void showValue(const Json& value) override;

private:
    QComboBox* m_box;
    std::vector<Choice> m_choices;
};

/// A positive integer, with some offered.
class SizeSetting : public Setting {
public:
    explicit SizeSetting(const Words& words);
    void setOffered(const std::vector<int64_t>& sizes);

protected:
    void showValue(const Json& value) override;

private:
    QComboBox* m_box;
};

/// A widget of the form: the wheel scrolls the form until the widget has the focus, and Undo is the recipe's, not the widget's.
void useFormHabits(QWidget* editor);

}  // namespace calibench
