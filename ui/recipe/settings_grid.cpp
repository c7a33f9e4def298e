#include "ui/recipe/settings_grid.h"

#include <QEvent>
#include <QGridLayout>

namespace calibench {

SettingsGrid::SettingsGrid(QWidget* parent) : QWidget(parent), m_grid(new QGridLayout(this)) {
    m_grid->setContentsMargins(0, 0, 0, 0);
    m_grid->setHorizontalSpacing(4);
    m_grid->setVerticalSpacing(4);
    m_grid->setColumnMinimumWidth(0, fontMetrics().horizontalAdvance(tr("Quanted input")) + 4);
    m_grid->setColumnStretch(1, 1);
}

SettingsGrid::~SettingsGrid() = default;

void SettingsGrid::addRow(std::unique_ptr<Setting> setting) {
    const int row = m_grid->rowCount();
    m_grid->addWidget(setting->label(), row, 0);
    m_grid->addWidget(setting->editor(), row, 1);
    m_grid->addWidget(setting->reset(), row, 2);
    m_settings.push_back(std::move(setting));
}

void SettingsGrid::changeEvent(QEvent* event) {
    QWidget::changeEvent(event);
    if (event->type() != QEvent::PaletteChange) return;
    for (const auto& setting : m_settings) setting->restyle();
}

}  // namespace calibench
