#include "ui/lens/what_if_strip.h"

#include <QCheckBox>
#include <QComboBox>
#include <QDoubleSpinBox>
#include <QGridLayout>
#include <QLabel>
#include <QPushButton>
#include <QScopedValueRollback>
#include <QVBoxLayout>

#include <algorithm>
#include <utility>

#include "ui/recipe/setting.h"

namespace calibench {

namespace {

const std::string Histogram = "histogram";  // the observer that cuts at a percentile
constexpr double UsualPercentile = 99.99;   // its default

struct StrategyWords {
    Strategy strategy;
    bool dynamic;
    QString name;
};

std::vector<StrategyWords> strategiesOf(ArgsRow::Kind kind) {
    if (kind == ArgsRow::Kind::Weights)
        return {{Strategy::Group, false, ArgsRow::tr("group")}, {Strategy::Channel, false, ArgsRow::tr("channel")}, {Strategy::Tensor, false, ArgsRow::tr("tensor")},
                {Strategy::TensorGroup, false, ArgsRow::tr("tensor_group")}, {Strategy::Block, false, ArgsRow::tr("block")}};
    return {{Strategy::Tensor, false, ArgsRow::tr("tensor, static")}, {Strategy::Token, true, ArgsRow::tr("token, dynamic")}, {Strategy::Group, true, ArgsRow::tr("group, dynamic")}};
}

bool isGrouped(const QuantizationArgs& args) { return args.strategy == Strategy::Group || args.strategy == Strategy::TensorGroup; }

}  // namespace

ArgsRow::ArgsRow(Kind kind, const std::vector<std::string>& observers, QGridLayout* grid, int line)
    : QObject(grid), m_kind(kind), m_bits(new QComboBox), m_strategy(new QComboBox), m_size(new QComboBox), m_observer(new QComboBox),
      m_symmetric(new QCheckBox(tr("symmetric"))), m_percentile(new QDoubleSpinBox) {
    const QString whose = kind == Kind::Weights ? tr("Weights") : tr("Inputs");
    for (const int bits : {2, 3, 4, 5, 6, 7, 8}) m_bits->addItem(tr("%n bit(s)", nullptr, bits), bits);
    for (const StrategyWords& words : strategiesOf(kind)) m_strategy->addItem(words.name);
    for (const std::string& observer : observers) m_observer->addItem(QString::fromStdString(observer));
    m_percentile->setRange(50, 100);
    m_percentile->setDecimals(3);
    m_percentile->setSingleStep(0.1);
    m_percentile->setSuffix(tr(" %"));
    m_percentile->setKeyboardTracking(false);
    m_percentile->setMaximumWidth(96);
    const struct {
        QWidget* widget;
        QString name, help;
    } parts[] = {{m_bits, tr("%1: bits").arg(whose), tr("How many bits a value takes")},
                 {m_symmetric, tr("%1: symmetric").arg(whose), tr("Levels on both sides of zero alike; otherwise a zero point shifts them")},
                 {m_strategy, tr("%1: scale per").arg(whose), tr("Which values share a scale")},
                 {m_size, tr("%1: group size").arg(whose), tr("How many neighbours in a row share a scale")},
                 {m_observer, tr("%1: observer").arg(whose), tr("How the range is chosen that the scale covers")},
                 {m_percentile, tr("%1: range percentile").arg(whose), tr("How much of the values the range covers; the rest is clipped")}};
    auto* label = new QLabel(whose);
    grid->addWidget(label, line, 0);
    m_widgets.push_back(label);
    int column = 1;
    for (const auto& part : parts) {
        part.widget->setAccessibleName(part.name);
        part.widget->setToolTip(part.help);
        if (auto* box = qobject_cast<QComboBox*>(part.widget)) {
            box->setSizeAdjustPolicy(QComboBox::AdjustToMinimumContentsLengthWithIcon);
            box->setMinimumContentsLength(box == m_observer ? 8 : box == m_strategy ? 5 : 3);
            connect(box, &QComboBox::currentIndexChanged, this, &ArgsRow::take);
        }
        useFormHabits(part.widget);
        grid->addWidget(part.widget, line, column++);
        m_widgets.push_back(part.widget);
    }
    connect(m_symmetric, &QCheckBox::toggled, this, &ArgsRow::take);
    connect(m_percentile, &QDoubleSpinBox::valueChanged, this, &ArgsRow::take);
}

void ArgsRow::setVisible(bool visible) {
    for (QWidget* widget : m_widgets) widget->setVisible(visible);
}

void ArgsRow::show(const QuantizationArgs& args, const std::vector<int64_t>& sizes) {
    const QScopedValueRollback showing(m_showing, true);
    m_args = args;
    m_sizes = sizes;
    m_bits->setCurrentIndex(m_bits->findData(args.num_bits));
    m_symmetric->setChecked(args.symmetric);
    const std::vector<StrategyWords> strategies = strategiesOf(m_kind);
    const auto own = std::find_if(strategies.begin(), strategies.end(), [&](const StrategyWords& words) {
        return words.strategy == args.strategy.value_or(Strategy::Tensor) && words.dynamic == (args.dynamic != Dynamic::No);
    });
    m_strategy->setCurrentIndex(own == strategies.end() ? -1 : static_cast<int>(own - strategies.begin()));
    m_size->clear();
    for (const int64_t size : sizes) m_size->addItem(QString::number(size), QVariant::fromValue<qlonglong>(size));
    if (args.group_size && m_size->findData(QVariant::fromValue<qlonglong>(*args.group_size)) < 0) m_size->addItem(QString::number(*args.group_size), QVariant::fromValue<qlonglong>(*args.group_size));
    m_size->setCurrentIndex(args.group_size ? m_size->findData(QVariant::fromValue<qlonglong>(*args.group_size)) : -1);
    m_observer->setCurrentIndex(m_observer->findText(QString::fromStdString(args.observer.value_or(usualObserver()))));
    m_percentile->setValue(args.observer_kwargs.value("percentile", UsualPercentile));
    allow();
}

std::string ArgsRow::usualObserver() const { return m_kind == Kind::Weights ? "memoryless_minmax" : "minmax"; }

/// What is of no account for these arguments is disabled and says why.
void ArgsRow::allow() {
    const auto set = [](QWidget* widget, bool enabled, const QString& help, const QString& why) {
        widget->setEnabled(enabled);
        widget->setToolTip(enabled ? help : why);
    };
    const bool dynamic = m_args.dynamic != Dynamic::No;
    set(m_size, isGrouped(m_args), tr("How many neighbours in a row share a scale"), tr("Only groups have a size."));
    set(m_observer, !dynamic, tr("How the range is chosen that the scale covers"), tr("Dynamic scales follow every input; nothing is observed."));
    set(m_percentile, !dynamic && m_observer->currentText().toStdString() == Histogram, tr("How much of the values the range covers; the rest is clipped"),
        tr("Choose the observer “histogram” to cut the range at a percentile."));
    set(m_symmetric, m_args.type == QuantizationType::Int, tr("Levels on both sides of zero alike; otherwise a zero point shifts them"), tr("Float formats are symmetric."));
}

void ArgsRow::take() {
    if (m_showing) return;
    if (m_bits->currentIndex() >= 0) m_args.num_bits = m_bits->currentData().toInt();
    m_args.symmetric = m_symmetric->isChecked();
    if (const int chosen = m_strategy->currentIndex(); chosen >= 0) {
        const StrategyWords words = strategiesOf(m_kind)[static_cast<size_t>(chosen)];
        m_args.strategy = words.strategy;
        if ((m_args.dynamic != Dynamic::No) != words.dynamic) m_args.dynamic = words.dynamic ? Dynamic::Yes : Dynamic::No;
    }
    m_args.block_structure = m_args.strategy == Strategy::Block ? std::optional(m_args.block_structure.value_or(std::vector<int64_t>{128, 128})) : std::nullopt;
    if (!isGrouped(m_args))
        m_args.group_size.reset();
    else if (m_size->currentIndex() >= 0)
        m_args.group_size = m_size->currentData().toLongLong();
    else {  // it had none: the usual one, or the largest below it that fits
        const auto fits = std::find_if(m_sizes.begin(), m_sizes.end(), [](int64_t size) { return size <= 128; });
        m_args.group_size = fits == m_sizes.end() ? 128 : *fits;
    }
    if (m_args.dynamic != Dynamic::No) {
        m_args.observer.reset();
        m_args.observer_kwargs = nlohmann::json::object();
    } else if (m_observer->currentIndex() >= 0) {
        const std::string observer = m_observer->currentText().toStdString();
        if (observer != m_args.observer.value_or(usualObserver())) {
            m_args.observer = observer;
            m_args.observer_kwargs = nlohmann::json::object();
        }
        if (observer == Histogram && m_percentile->value() != m_args.observer_kwargs.value("percentile", UsualPercentile))
            m_args.observer_kwargs["percentile"] = m_percentile->value();
    }
    show(QuantizationArgs(m_args), m_sizes);
    Q_EMIT changed();
}

WhatIfStrip::WhatIfStrip(const std::vector<std::string>& observers, QWidget* parent)
    : QWidget(parent), m_effect(new QLabel), m_apply(new QPushButton(tr("Apply to recipe"))), m_reset(new QPushButton(tr("Reset"))) {
    auto* grid = new QGridLayout;
    grid->setContentsMargins(0, 0, 0, 0);
    grid->setHorizontalSpacing(4);
    grid->setVerticalSpacing(4);
    m_weights = new ArgsRow(ArgsRow::Kind::Weights, observers, grid, 0);
    m_inputs = new ArgsRow(ArgsRow::Kind::Inputs, observers, grid, 1);
    grid->setColumnStretch(5, 1);  // names of observers are long
    for (const ArgsRow* row : {m_weights, m_inputs}) connect(row, &ArgsRow::changed, this, [this] { Q_EMIT asked(question()); });

    m_effect->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Preferred);
    m_effect->setTextInteractionFlags(Qt::TextSelectableByMouse);
    m_effect->setWordWrap(true);
    m_effect->setAccessibleName(tr("What it changes"));
    connect(m_apply, &QPushButton::clicked, this, &WhatIfStrip::applyRequested);
    connect(m_reset, &QPushButton::clicked, this, &WhatIfStrip::resetRequested);
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
    start({}, {});
}

void WhatIfStrip::start(const WhatIf& now, const std::vector<int64_t>& sizes) {
    m_now = now;
    m_sizes = sizes;
    if (now.weights) m_weights->show(*now.weights, sizes);
    if (now.inputs) m_inputs->show(*now.inputs, sizes);
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
    m_apply->setEnabled(obstacle.isEmpty());
    m_apply->setToolTip(obstacle.isEmpty() ? tr("Write it into the recipe as an override; Undo takes it back") : obstacle);
    m_reset->setEnabled(differs());
}

QString WhatIfStrip::effect() const { return m_effect->text(); }

}  // namespace calibench
