#pragma once

#include <QStringList>

#include "ui/recipe/settings_grid.h"

namespace calibench {

/// QuantizationArgs as rows: of weights, of inputs or outputs, or of keys and values. Settings that need each other are changed
/// together, so that no choice made here leaves a recipe that cannot be read.
class ArgsForm : public SettingsGrid {
    Q_OBJECT

public:
    enum class Kind { Weights, Inputs, Outputs, KvCache };

    ArgsForm(Kind kind, const std::vector<std::string>& observers, QWidget* parent = nullptr);

    /// `value` is what the text says at `path`, null when nothing; `resolved` is what follows from it.
    void show(const RecipePath& path, const Json* value, const QuantizationArgs* resolved);
    /// Group sizes that divide all modules that these arguments are for, the largest first.
    void setFittingSizes(std::vector<int64_t> sizes);
    /// Keys that the text has and this form has no row for.
    [[nodiscard]] QStringList otherKeys() const;

Q_SIGNALS:
    void changed(const calibench::RecipeChanges& changes);

private:
    void addRows(const std::vector<std::string>& observers);
    void showRows(const QuantizationArgs* resolved);
    void changeMode(const std::string& mode);
    void changeStrategy(const std::optional<Json>& value);
    void changeType(const std::optional<Json>& value);
    void change(const std::string& key, std::optional<Json> value, bool typed = false);

    [[nodiscard]] bool isDynamic() const;
    [[nodiscard]] std::string mode() const;
    [[nodiscard]] Json initialValue(const std::string& mode) const;
    [[nodiscard]] int64_t usualSize() const;
    [[nodiscard]] const Json* said(const char* key) const;
    [[nodiscard]] std::vector<ChoiceSetting::Choice> strategies() const;

    const Kind m_kind;
    RecipePath m_path;
    std::optional<Json> m_value;  ///< as in the text
    std::vector<int64_t> m_fitting = {128, 64, 32};
    ChoiceSetting *m_mode, *m_bits, *m_type, *m_strategy, *m_observer, *m_order = nullptr;
    ToggleSetting* m_symmetric;
    SizeSetting* m_groupSize;
};

}  // namespace calibench
