#include "ui/panels/intervene_panel.h"

#include <QCheckBox>
#include <QComboBox>
#include <QGridLayout>
#include <QHeaderView>
#include <QLabel>
#include <QLineEdit>
#include <QPushButton>
#include <QSpinBox>
#include <QTreeView>

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "core/base/error.h"
#include "ui/background.h"
#include "ui/command.h"
#include "ui/format.h"
#include "ui/models/attempts_model.h"
#include "ui/session.h"
#include "ui/theme.h"

namespace calibench {

using State = RunController::State;

namespace {

/// `recipe` with what it quantizes of `block` quantized by `preset`. Throws InputError when that does not work out.
std::string recipeWithScheme(const CoreServices& services, const std::string& recipe, const ModelSummary& model, int block, const std::string& preset) {
    const auto resolve = [&](const std::string& text) {
        const ParsedRecipe parsed = services.parseRecipe(text);
        const auto check = [](const std::vector<Diagnostic>& diagnostics) {
            for (const Diagnostic& diagnostic : diagnostics)
                if (diagnostic.severity == Diagnostic::Severity::Error) throw InputError(diagnostic.message);
        };
        check(parsed.diagnostics);
        ResolvedRecipe resolved = services.resolveRecipe(*parsed.recipe, model);
        check(resolved.diagnostics);
        return resolved;
    };
    std::unordered_set<std::string> ofBlock;
    for (const ModuleInfo& module : model.modules)
        if (module.block == block) ofBlock.insert(module.name);
    std::vector<std::string> modules;
    for (const ResolvedModule& module : resolve(recipe).modules)
        if (ofBlock.contains(module.name)) modules.push_back(module.name);
    std::string changed = services.withOverride(recipe, model, modules, services.presetScheme(preset));
    resolve(changed);
    return changed;
}

/// Empty text is no number, and no mistake.
std::optional<double> numberIn(const QLineEdit* field) {
    bool ok = false;
    const double value = field->text().trimmed().toDouble(&ok);
    return ok ? std::optional(value) : std::nullopt;
}

QString textOf(std::optional<double> value) { return value ? formatExact(*value) : QString(); }

}  // namespace

IntervenePanel::IntervenePanel(Session& session, RunController& controller, QWidget* parent)
    : QWidget(parent), m_session(session), m_controller(controller), m_attempts(new AttemptsModel(controller.record(), this)),
      m_title(new QLabel), m_problem(new QLabel) {
    auto* table = new QTreeView;
    table->setModel(m_attempts);
    table->setRootIsDecorated(false);
    table->setUniformRowHeights(true);
    table->setSelectionMode(QAbstractItemView::NoSelection);
    table->setAccessibleName(tr("Attempts at the block at work"));
    table->header()->setStretchLastSection(false);
    table->header()->setSectionResizeMode(QHeaderView::ResizeToContents);
    table->header()->setSectionResizeMode(AttemptsModel::SettingsColumn, QHeaderView::Stretch);
    m_problem->setObjectName(QStringLiteral("problem"));
    m_problem->setWordWrap(true);

    auto* left = new QVBoxLayout;
    left->setSpacing(4);
    left->addWidget(m_title);
    left->addWidget(table, 1);
    left->addWidget(m_problem);
    auto* layout = new QHBoxLayout(this);
    layout->setContentsMargins(8, 4, 8, 4);
    layout->setSpacing(12);
    layout->addLayout(left, 1);
    layout->addWidget(makeForm(), 0, Qt::AlignTop);

    connect(&m_controller, &RunController::snapshotArrived, this, &IntervenePanel::apply);
    connect(&m_controller, &RunController::stateChanged, this, &IntervenePanel::refresh);
    connect(&m_controller, &RunController::recordCleared, this, [this] {
        m_attempts->setBlock(-1);
        m_failure.clear();
        refresh();
    });
    refresh();
}

QWidget* IntervenePanel::makeForm() {
    auto* form = new QWidget;
    auto* grid = new QGridLayout(form);
    grid->setContentsMargins(0, 0, 0, 0);
    grid->setHorizontalSpacing(8);
    grid->setVerticalSpacing(4);
    const auto add = [&](QWidget* field, const QString& name, const QString& help, int row, int column) {
        auto* label = new QLabel(name);
        label->setBuddy(field);
        field->setAccessibleName(name);
        setHelp(field, help);
        grid->addWidget(label, row, column);
        grid->addWidget(field, row, column + 1);
    };

    m_iters = new QSpinBox;
    m_iters->setRange(1, 1'000'000);
    m_lr = new QLineEdit;
    m_minmaxLr = new QLineEdit;
    m_minmaxLr->setPlaceholderText(tr("as the learning rate"));
    m_scheme = new QComboBox;
    m_scheme->addItem(tr("as in the recipe"));
    if (const auto& names = m_session.services().presetSchemeNames)
        for (const std::string& name : names()) m_scheme->addItem(QString::fromStdString(name), true);
    m_keep = new QComboBox;
    m_keep->addItems({tr("the better"), tr("the newest")});
    add(m_iters, tr("Iterations"), tr("Of AutoRound, in the next attempt at this block"), 0, 0);
    add(m_lr, tr("Learning rate"), tr("Of the rounding; leave it empty for 1 / iterations"), 1, 0);
    add(m_minmaxLr, tr("Range rate"), tr("Of the clipping; leave it empty for the learning rate"), 2, 0);
    add(m_scheme, tr("Scheme"), tr("By which this block's modules are quantized from here on; the recipe follows"), 0, 2);
    add(m_keep, tr("Keep"), tr("Which attempt stays in the end: that with the lower loss, or the last one"), 1, 2);

    m_hold = new QCheckBox(tr("Hold at the end of each block"));
    m_hold->setToolTip(tr("The run pauses when a block is tuned, before an attempt is kept: the time to look, and to redo it"));
    grid->addWidget(m_hold, 2, 2, 1, 2);

    auto* buttons = new QHBoxLayout;
    buttons->setSpacing(8);
    const auto addButton = [&](const QString& icon, const QString& text, const QString& help) {
        auto* button = new QPushButton(symbolicIcon(icon), text);
        setHelp(button, help);
        buttons->addWidget(button);
        return button;
    };
    m_redo = addButton(QStringLiteral("redo"), tr("Redo block"), tr("Begin this block again with these settings; what was tried stays until one is kept"));
    m_finish = addButton(QStringLiteral("done"), tr("Take the best so far"), tr("No more iterations for this block: go on with the best that was found"));
    m_pause = addButton(QStringLiteral("pause"), tr("Resume"), {});
    buttons->addStretch();
    grid->addLayout(buttons, 3, 0, 1, 4);

    for (QLineEdit* field : {m_lr, m_minmaxLr}) connect(field, &QLineEdit::textChanged, this, &IntervenePanel::refresh);
    connect(m_iters, &QSpinBox::valueChanged, this, &IntervenePanel::refresh);
    connect(m_keep, &QComboBox::currentIndexChanged, this, [this] {
        m_attempts->setKeep(keep());
    });
    connect(m_hold, &QCheckBox::toggled, &m_controller, &RunController::setHoldAtBlockEnd);
    connect(m_redo, &QPushButton::clicked, this, &IntervenePanel::redo);
    connect(m_finish, &QPushButton::clicked, this, &IntervenePanel::finish);
    connect(m_pause, &QPushButton::clicked, this, [this] {
        m_controller.state() == State::Paused ? m_controller.requestResume() : m_controller.requestPause();
    });
    return form;
}

void IntervenePanel::apply(const RunSnapshot& snapshot) {
    if (snapshot.started) readRecipe();
    const auto ofBlock = [this](const auto& event) { return event.block == m_attempts->block(); };
    if (!snapshot.blocksStarted.empty()) {
        m_failure.clear();
        m_attempts->setBlock(static_cast<int>(snapshot.blocksStarted.back().block));
        m_scheme->setCurrentIndex(0);
        m_rates = m_recipeRates;
        showSettings();
    }
    m_attempts->refresh();
    if (std::any_of(snapshot.blocksRedone.begin(), snapshot.blocksRedone.end(), ofBlock)) {
        const AttemptRecord& attempt = block()->attempts.back();
        m_rates.lr = attempt.lr == 1.0 / static_cast<double>(attempt.iters) ? std::nullopt : std::optional(attempt.lr);
        m_scheme->setCurrentIndex(0);
        showSettings();
    }
    refresh();
}

void IntervenePanel::readRecipe() {
    const auto read = [parse = m_session.services().parseRecipe, yaml = m_controller.config().recipe_yaml] {
        Rates rates;
        if (const ParsedRecipe parsed = parse(yaml); parsed.recipe)
            for (const Modifier& modifier : parsed.recipe->modifiers)
                if (const auto* settings = std::get_if<AutoRoundSettings>(&modifier.settings)) rates = {settings->lr, settings->minmax_lr};
        return rates;
    };
    runInBackground(this, read, [this](const Outcome<Rates>& outcome) {
        m_recipeRates = outcome.value.value_or(Rates{});
        if (block() && block()->attempts.size() > 1) return;  // it is redone already, with rates of its own
        m_rates = m_recipeRates;
        showSettings();
    });
}

const BlockRecord* IntervenePanel::block() const { return m_attempts->record(); }

void IntervenePanel::showSettings() {
    const auto& started = m_controller.record().started();
    int64_t iters = started ? started->iters : 0;
    if (block() && !block()->attempts.empty() && block()->attempts.back().iters > 0) iters = block()->attempts.back().iters;
    m_iters->setValue(static_cast<int>(iters));
    m_lr->setText(textOf(m_rates.lr));
    m_minmaxLr->setText(textOf(m_rates.minmaxLr));
}

QString IntervenePanel::obstacle() const {
    if (!m_controller.active()) return tr("No run is at work.");
    if (m_controller.state() == State::Stopping) return tr("The run is being stopped.");
    if (!block()) return tr("No block is at work yet.");
    if (const auto& started = m_controller.record().started(); started && started->iters == 0)
        return tr("This run rounds to nearest: there is no tuning to change.");
    if (block()->state == BlockRecord::State::Done) return tr("This block is done; the next one is yet to begin.");
    if (block()->state != BlockRecord::State::Tuning) return tr("This block's tuning has not begun yet.");
    return {};
}

QString IntervenePanel::fieldProblem() const {
    for (const QLineEdit* field : {m_lr, m_minmaxLr}) {
        const auto value = numberIn(field);
        if (!field->text().trimmed().isEmpty() && !(value && *value > 0))
            return tr("%1: write a number above 0, such as 0.005, or leave it empty.").arg(field->accessibleName());
    }
    return {};
}

void IntervenePanel::refresh() {
    const QString why = obstacle(), wrong = fieldProblem();
    for (QWidget* widget : std::initializer_list<QWidget*>{m_iters, m_lr, m_minmaxLr, m_scheme, m_keep, m_finish}) allow(widget, why);
    allow(m_redo, why.isEmpty() ? wrong : why);

    const bool paused = m_controller.state() == State::Paused;
    m_pause->setText(paused ? tr("Resume") : tr("Pause"));
    m_pause->setIcon(symbolicIcon(paused ? QStringLiteral("run") : QStringLiteral("pause")));
    setHelp(m_pause, paused ? tr("Go on where the run is held") : tr("Hold the run where it is, within the iteration"));
    allow(m_pause, paused || m_controller.state() == State::Running ? QString() : m_controller.active() ? tr("The run is not under way.") : tr("No run is at work."));

    m_lr->setPlaceholderText(tr("automatic, %1").arg(formatNumber(1.0 / m_iters->value())));
    QPalette colours = m_problem->palette();
    colours.setColor(QPalette::WindowText, errorColour(palette()));
    m_problem->setPalette(colours);
    m_problem->setText(why.isEmpty() && !wrong.isEmpty() ? wrong : m_failure);
    m_problem->setVisible(!m_problem->text().isEmpty());
    showTitle();
}

void IntervenePanel::showTitle() {
    if (!block()) {
        m_title->setText(tr("The block that a run works on will show here."));
        return;
    }
    const auto total = static_cast<int>(m_controller.record().blocks().size());
    const QString place = tr("Block %1 of %2, %3").arg(m_attempts->block() + 1).arg(total).arg(QString::fromStdString(block()->name));
    const bool tuning = block()->state == BlockRecord::State::Tuning;
    QString doing = block()->state == BlockRecord::State::Done ? tr("done") : tuning ? tr("being tuned") : tr("being calibrated");
    if (m_controller.state() == State::Paused) doing = tr("held");
    if (!m_controller.active()) doing = block()->state == BlockRecord::State::Done ? tr("done") : tr("not finished");
    m_title->setText(tr("%1: %2").arg(place, doing));
}

BlockOrder::Keep IntervenePanel::keep() const { return m_keep->currentIndex() == 0 ? BlockOrder::Keep::Better : BlockOrder::Keep::Newest; }

BlockOrder IntervenePanel::redoOrder() const {
    BlockOrder order{.action = BlockOrder::Action::Redo, .keep = keep(), .iters = m_iters->value(), .lr = numberIn(m_lr), .minmax_lr = numberIn(m_minmaxLr)};
    // Unset means as it is: a field that was emptied has to say what stands behind "automatic".
    const double automatic = 1.0 / m_iters->value();
    if (!order.lr && m_rates.lr) order.lr = automatic;
    if (!order.minmax_lr && m_rates.minmaxLr) order.minmax_lr = order.lr.value_or(automatic);
    return order;
}

void IntervenePanel::redo() {
    m_failure.clear();
    if (m_scheme->currentIndex() > 0)
        redoWithScheme(m_scheme->currentText().toStdString());
    else
        give(redoOrder(), numberIn(m_minmaxLr));
}

void IntervenePanel::give(const BlockOrder& order, std::optional<double> minmaxLr) {
    m_rates.minmaxLr = minmaxLr;
    m_controller.order(order);
}

void IntervenePanel::redoWithScheme(const std::string& preset) {
    m_controller.requestPause();  // the block must not come to its end while its recipe is written
    const int block = m_attempts->block();
    const auto write = [services = m_session.services(), recipe = m_controller.config().recipe_yaml, model = m_session.model(), block, preset] {
        return recipeWithScheme(services, recipe, model, block, preset);
    };
    runInBackground(this, write, [this, block, order = redoOrder(), minmaxLr = numberIn(m_minmaxLr)](const Outcome<std::string>& outcome) mutable {
        if (block != m_attempts->block()) return;
        m_failure = outcome.error;
        refresh();
        if (!outcome.value) return;
        order.recipe_yaml = *outcome.value;
        give(order, minmaxLr);
    });
}

void IntervenePanel::finish() { m_controller.order({.action = BlockOrder::Action::Finish, .keep = keep()}); }

}  // namespace calibench
