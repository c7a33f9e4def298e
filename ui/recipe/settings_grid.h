#pragma once

#include <QWidget>

#include <memory>
#include <utility>
#include <vector>

#include "ui/recipe/setting.h"

class QGridLayout;

namespace calibench {

/// Rows of settings with aligned labels: all grids of the form have the same columns.
class SettingsGrid : public QWidget {
    Q_OBJECT

public:
    explicit SettingsGrid(QWidget* parent = nullptr);
    ~SettingsGrid() override;

    template <typename T, typename... Args>
    T* add(Args&&... args) {
        auto setting = std::make_unique<T>(std::forward<Args>(args)...);
        T* made = setting.get();
        addRow(std::move(setting));
        return made;
    }

protected:
    void changeEvent(QEvent* event) override;

private:
    void addRow(std::unique_ptr<Setting> setting);

    QGridLayout* m_grid;
    std::vector<std::unique_ptr<Setting>> m_settings;
};

}  // namespace calibench
