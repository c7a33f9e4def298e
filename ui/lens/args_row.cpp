#include "ui/lens/args_row.h"

#include <QCheckBox>
#include <QComboBox>
#include <QDoubleSpinBox>
#include <QGridLayout>
#include <QLabel>
#include <QScopedValueRollback>
#include <QStandardItemModel>

#include <algorithm>

#include "ui/command.h"
#include "ui/recipe/setting.h"

namespace calibench {

namespace {

const std::string Histogram = "histogram";  // the observer that cuts at a percentile
constexpr double UsualPercentile = 99.99;   // its default
constexpr int64_t UsualSize = 128;

bool isGrouped(const QuantizationArgs& args) { return args.strategy == Strategy::Group || args.strategy == Strategy::TensorGroup; }

QVariant sizeData(int64_t size) { return QVariant::fromValue<qlonglong>(size); }

}  // namespace

std::vector<ArgsRow::StrategyWords> ArgsRow::strategiesOf(Kind kind) {
    if (kind == Kind::Weights)
        return {{Strategy::Group, false, tr("group")}, {Strategy::Channel, false, tr("channel")}, {Strategy::Tensor, false, tr("tensor")},
                {Strategy::TensorGroup, false, tr("tensor_group")}, {Strategy::Block, false, tr("block")}};
    return {{Strategy::Tensor, false, tr("tensor, static")}, {Strategy::Token, true, tr("token, dynamic")}, {Strategy::Group, true, tr("group, dynamic")},
            {Strategy::TensorGroup, true, tr("tensor_group, dynamic")}};
}

ArgsRow::ArgsRow(Kind kind, const CoreServices& services, QGridLayout* grid, int line)
    : QObject(grid), m_kind(kind), m_formats(valueFormats(kind, services)), m_strategies(strategiesOf(kind)), m_format(new QComboBox), m_strategy(new QComboBox),
      m_size(new QComboBox), m_observer(new QComboBox), m_symmetric(new QCheckBox(tr("symmetric"))), m_percentile(new QDoubleSpinBox) {
    makeControls(services.observerNames());
    const QString whose = kind == Kind::Weights ? tr("Weights") : tr("Inputs");
    const struct {
        QWidget* widget;
        QString name, help;
    } parts[] = {{m_format, tr("%1: format").arg(whose), tr("Integers of so many bits, or floats")},
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
        setHelp(part.widget, part.help);
        useFormHabits(part.widget);
        grid->addWidget(part.widget, line, column++);
        m_widgets.push_back(part.widget);
    }
}

void ArgsRow::makeControls(const std::vector<std::string>& observers) {
    for (const ValueFormat& format : m_formats) m_format->addItem(format.name);
    for (const StrategyWords& words : m_strategies) m_strategy->addItem(words.name);
    for (const std::string& observer : observers) m_observer->addItem(QString::fromStdString(observer));
    m_percentile->setRange(50, 100);
    m_percentile->setDecimals(3);
    m_percentile->setSingleStep(0.1);
    m_percentile->setSuffix(tr(" %"));
    m_percentile->setKeyboardTracking(false);
    m_percentile->setMaximumWidth(96);
    for (QComboBox* box : {m_format, m_strategy, m_size, m_observer}) {
        box->setSizeAdjustPolicy(QComboBox::AdjustToMinimumContentsLengthWithIcon);
        box->setMinimumContentsLength(box == m_observer ? 8 : box == m_size ? 3 : 5);
        connect(box, &QComboBox::currentIndexChanged, this, &ArgsRow::take);
    }
    connect(m_symmetric, &QCheckBox::toggled, this, &ArgsRow::take);
    connect(m_percentile, &QDoubleSpinBox::valueChanged, this, &ArgsRow::take);
}

void ArgsRow::setVisible(bool visible) {
    for (QWidget* widget : m_widgets) widget->setVisible(visible);
}

void ArgsRow::begin(const QuantizationArgs& args, const std::vector<int64_t>& sizes) {
    m_begun = args;
    show(args, sizes);
}

void ArgsRow::show(const QuantizationArgs& args, const std::vector<int64_t>& sizes) {
    const QScopedValueRollback showing(m_showing, true);
    m_args = args;
    m_sizes = sizes;
    m_format->setCurrentIndex(format() ? static_cast<int>(format() - m_formats.data()) : -1);
    m_symmetric->setChecked(args.symmetric);
    const auto own = std::find_if(m_strategies.begin(), m_strategies.end(), [&](const StrategyWords& words) {
        return words.strategy == args.strategy.value_or(Strategy::Tensor) && words.dynamic == (args.dynamic != Dynamic::No);
    });
    m_strategy->setCurrentIndex(own == m_strategies.end() ? -1 : static_cast<int>(own - m_strategies.begin()));
    m_size->clear();
    for (const int64_t size : sizes) m_size->addItem(QString::number(size), sizeData(size));
    if (args.group_size && m_size->findData(sizeData(*args.group_size)) < 0) m_size->addItem(QString::number(*args.group_size), sizeData(*args.group_size));
    m_size->setCurrentIndex(args.group_size ? m_size->findData(sizeData(*args.group_size)) : -1);
    m_observer->setCurrentIndex(m_observer->findText(QString::fromStdString(args.observer.value_or(usualObserver()))));
    m_percentile->setValue(args.observer_kwargs.value("percentile", UsualPercentile));
    allowWhatCounts();
}

const ValueFormat* ArgsRow::format() const {
    const auto own = std::find_if(m_formats.begin(), m_formats.end(), [this](const ValueFormat& format) { return format.isOf(m_args); });
    return own == m_formats.end() ? nullptr : &*own;
}

std::string ArgsRow::usualObserver() const { return m_kind == Kind::Weights ? "memoryless_minmax" : "minmax"; }

bool ArgsRow::suits(Strategy strategy) const {
    if (strategy == Strategy::TensorGroup) return false;  // NVFP4's, which has no other
    return strategy != Strategy::Group || m_kind == Kind::Inputs || m_args.type == QuantizationType::Int;
}

void ArgsRow::allowWhatCounts() {
    const auto allowIf = [](bool counts, QWidget* widget, const QString& why) { allow(widget, counts ? QString() : why); };
    const ValueFormat* format = this->format();
    const bool prescribed = format && format->prescribesGroups(), dynamic = m_args.dynamic != Dynamic::No;
    const QString why = prescribed ? tr("%1 prescribes it.").arg(format->name) : tr("Only groups have a size.");
    allowIf(!prescribed, m_strategy, why);
    allowIf(isGrouped(m_args) && !prescribed, m_size, why);
    allowIf(!dynamic, m_observer, tr("Dynamic scales follow every input; nothing is observed."));
    allowIf(!dynamic && m_observer->currentText().toStdString() == Histogram, m_percentile, tr("Choose the observer “histogram” to cut the range at a percentile."));
    allowIf(m_args.type == QuantizationType::Int, m_symmetric, tr("Float formats are symmetric."));
    const auto* items = qobject_cast<QStandardItemModel*>(m_strategy->model());
    for (size_t i = 0; i < m_strategies.size(); ++i) items->item(static_cast<int>(i))->setEnabled(suits(m_strategies[i].strategy) || m_strategies[i].strategy == m_args.strategy);
}

int64_t ArgsRow::fittingSize() const {
    const auto fits = std::find_if(m_sizes.begin(), m_sizes.end(), [](int64_t size) { return size <= UsualSize; });
    return fits == m_sizes.end() ? UsualSize : *fits;
}

void ArgsRow::take() {
    if (m_showing) return;
    if (const int chosen = m_format->currentIndex(); chosen >= 0 && !m_formats[static_cast<size_t>(chosen)].isOf(m_args)) {
        takeFormat();
    } else {
        m_args.symmetric = m_symmetric->isChecked();
        if (const ValueFormat* format = this->format(); !format || !format->prescribesGroups()) takeGroups();
        takeObserver();
    }
    show(QuantizationArgs(m_args), m_sizes);
    Q_EMIT changed();
}

/// Integers of other bits keep the rest. Another kind of values comes with its own, unless it is the one that was begun with.
void ArgsRow::takeFormat() {
    const ValueFormat& chosen = m_formats[static_cast<size_t>(m_format->currentIndex())];
    const auto isInt = [](const QuantizationArgs& args) { return args.type == QuantizationType::Int; };
    if (!chosen.isFloat() && (isInt(m_args) || isInt(m_begun))) {
        if (!isInt(m_args)) m_args = m_begun;
        m_args.num_bits = chosen.usual.num_bits;
        return;
    }
    m_args = chosen.isOf(m_begun) ? m_begun : chosen.usual;
    if (!chosen.isFloat() && m_kind == Kind::Weights && !m_sizes.empty()) {
        m_args.strategy = Strategy::Group;
        m_args.group_size = fittingSize();
    }
}

void ArgsRow::takeGroups() {
    if (const int chosen = m_strategy->currentIndex(); chosen >= 0) {
        const StrategyWords& words = m_strategies[static_cast<size_t>(chosen)];
        m_args.strategy = words.strategy;
        if ((m_args.dynamic != Dynamic::No) != words.dynamic) m_args.dynamic = words.dynamic ? Dynamic::Yes : Dynamic::No;
    }
    m_args.block_structure = m_args.strategy == Strategy::Block ? std::optional(m_args.block_structure.value_or(std::vector<int64_t>{128, 128})) : std::nullopt;
    if (!isGrouped(m_args))
        m_args.group_size.reset();
    else
        m_args.group_size = m_size->currentIndex() >= 0 ? m_size->currentData().toLongLong() : fittingSize();
}

void ArgsRow::takeObserver() {
    if (m_args.dynamic == Dynamic::Yes) {
        m_args.observer.reset();
        m_args.observer_kwargs = nlohmann::json::object();
    } else if (m_args.dynamic == Dynamic::No && m_observer->currentIndex() >= 0) {
        const std::string observer = m_observer->currentText().toStdString();
        if (observer != m_args.observer.value_or(usualObserver())) {
            m_args.observer = observer;
            m_args.observer_kwargs = nlohmann::json::object();
        }
        if (observer == Histogram && m_percentile->value() != m_args.observer_kwargs.value("percentile", UsualPercentile))
            m_args.observer_kwargs["percentile"] = m_percentile->value();
    }
}

}  // namespace calibench
