#include "ui/lens/what_if_strip.h"

#include <QEvent>
#include <QGridLayout>
#include <QLabel>
#include <QPushButton>
#include <QVBoxLayout>

#include <utility>

#include "ui/command.h"
#include "ui/theme.h"

namespace calibench {

WhatIfStrip::WhatIfStrip(const CoreServices& services, QWidget* parent)
    : QWidget(parent), m_effect(new QLabel), m_warning(new QLabel), m_apply(new QPushButton(tr("Apply to recipe"))), m_reset(new QPushButton(tr("Reset"))) {
    auto* grid = new QGridLayout;
    grid->setContentsMargins(0, 0, 0, 0);
    grid->setHorizontalSpacing(4);
    grid->setVerticalSpacing(4);
    m_weights = new ArgsRow(ArgsRow::Kind::Weights, services, grid, 0);
    m_inputs = new ArgsRow(ArgsRow::Kind::Inputs, services, grid, 1);
    grid->setColumnStretch(5, 1);  // names of observers are long
    for (const ArgsRow* row : {m_weights, m_inputs}) connect(row, &ArgsRow::changed, this, [this] { Q_EMIT asked(question()); });

    m_effect->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Preferred);
    m_effect->setTextInteractionFlags(Qt::TextSelectableByMouse);
    m_effect->setWordWrap(true);
    m_effect->setAccessibleName(tr("What it changes"));
    m_warning->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Preferred);
    m_warning->setTextInteractionFlags(Qt::TextSelectableByMouse);
    m_warning->setWordWrap(true);
    m_warning->setAccessibleName(tr("What speaks against it"));
    m_warning->hide();
    colourWarning();
    connect(m_apply, &QPushButton::clicked, this, &WhatIfStrip::applyRequested);
    connect(m_reset, &QPushButton::clicked, this, &WhatIfStrip::resetRequested);
    setHelp(m_apply, tr("Write it into the recipe as an override; Undo takes it back"));
    m_reset->setToolTip(tr("Back to what the recipe says"));
    auto* foot = new QHBoxLayout;
    foot->setContentsMargins(0, 0, 0, 0);
    foot->addWidget(m_effect, 1);
    foot->addWidget(m_reset);
    foot->addWidget(m_apply);

    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(12, 4, 8, 4);
    layout->setSpacing(4);
    layout->addLayout(grid);
    layout->addLayout(foot);
    layout->addWidget(m_warning);
    start({}, {});
}

void WhatIfStrip::start(const WhatIf& now, const std::vector<int64_t>& sizes) {
    m_now = now;
    m_sizes = sizes;
    if (now.weights) m_weights->begin(*now.weights, sizes);
    if (now.inputs) m_inputs->begin(*now.inputs, sizes);
    m_weights->setVisible(now.weights.has_value());
    m_inputs->setVisible(now.inputs.has_value());
    showEffect({}, tr("Change something first."));
}

void WhatIfStrip::propose(const WhatIf& question) {
    if (m_now.weights && question.weights) m_weights->show(*question.weights, m_sizes);
    if (m_now.inputs && question.inputs) m_inputs->show(*question.inputs, m_sizes);
    Q_EMIT asked(this->question());
}

void WhatIfStrip::setSizes(const std::vector<int64_t>& sizes) {
    if (std::exchange(m_sizes, sizes) == sizes) return;
    if (m_now.weights) m_weights->show(QuantizationArgs(m_weights->args()), sizes);
    if (m_now.inputs) m_inputs->show(QuantizationArgs(m_inputs->args()), sizes);
}

WhatIf WhatIfStrip::question() const {
    return {.weights = m_now.weights ? std::optional(m_weights->args()) : std::nullopt, .inputs = m_now.inputs ? std::optional(m_inputs->args()) : std::nullopt};
}

void WhatIfStrip::showEffect(const QString& effect, const QString& obstacle) {
    m_effect->setText(effect);
    allow(m_apply, obstacle);
    m_reset->setEnabled(differs());
}

QString WhatIfStrip::effect() const { return m_effect->text(); }

void WhatIfStrip::showWarning(const QString& warning) {
    m_warning->setText(warning);
    m_warning->setVisible(!warning.isEmpty());
}

QString WhatIfStrip::warning() const { return m_warning->text(); }

void WhatIfStrip::colourWarning() {
    QPalette colours;
    colours.setColor(QPalette::WindowText, warningColour(palette()));
    m_warning->setPalette(colours);
}

void WhatIfStrip::changeEvent(QEvent* event) {
    QWidget::changeEvent(event);
    if (event->type() == QEvent::PaletteChange) colourWarning();
}

}  // namespace calibench
