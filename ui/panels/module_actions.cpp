#include "ui/panels/module_actions.h"

#include <QAction>
#include <QMenu>
#include <QSet>

#include <numeric>
#include <utility>

#include "ui/command.h"
#include "ui/format.h"
#include "ui/run_controller.h"
#include "ui/theme.h"

namespace calibench {

namespace {

/// What most models are quantized to; the rest of the presets is one menu further.
bool isCommon(const std::string& preset) {
    static const QSet<QString> common{QStringLiteral("W4A16"), QStringLiteral("W8A16"),       QStringLiteral("W8A8"),
                                      QStringLiteral("FP8"),   QStringLiteral("FP8_DYNAMIC"), QStringLiteral("NVFP4")};
    return common.contains(QString::fromStdString(preset));
}

/// Of integer weights in groups, which may be of any size; else 0.
int64_t groupSize(const QuantizationScheme& scheme) {
    const bool free = scheme.weights && scheme.weights->type == QuantizationType::Int && scheme.weights->strategy == Strategy::Group;
    return free ? scheme.weights->group_size.value_or(0) : 0;
}

/// What divides the columns of all these modules; 0 when there are none.
int64_t commonColumns(const ModelSummary& model, const QStringList& modules) {
    const QSet<QString> chosen(modules.begin(), modules.end());
    int64_t common = 0;
    for (const ModuleInfo& module : model.modules)
        if (!module.shape.empty() && chosen.contains(QString::fromStdString(module.name))) common = std::gcd(common, module.shape.back());
    return common;
}

/// The largest size, `wanted` halved as often as needed, that divides `columns`: 64 for the 576 of a small model; `wanted` when
/// none does.
int64_t fittingGroupSize(int64_t wanted, int64_t columns) {
    for (int64_t size = wanted; size >= 16; size /= 2)
        if (columns % size == 0) return size;
    return wanted;
}

}  // namespace

ModuleActions::ModuleActions(Session& session, const RunController& controller, std::function<QStringList()> selected, QObject* parent)
    : QObject(parent), m_session(session), m_controller(controller), m_selected(std::move(selected)), m_quantize(new QMenu) {
    m_quantize->setToolTipsVisible(true);
    connect(m_quantize.get(), &QMenu::aboutToShow, this, &ModuleActions::fillQuantizeMenu);
    quantize = m_quantize->menuAction();
    quantize->setText(tr("&Quantize as"));
    quantize->setIcon(symbolicIcon(QStringLiteral("preset")));
    setHelp(quantize, tr("Give the selected modules a scheme in the recipe"));
    ignore = makeCommand({QStringLiteral("ignore"), tr("&Ignore"), {}, tr("Leave the selected modules as they are")}, this);
    pin = makeCommand({QStringLiteral("pin"), tr("&Pin"), {}, tr("Give each selected module what it has now as an override of its own, so that later changes of its group pass it by")}, this);
    connect(ignore, &QAction::triggered, this, [this] { change(m_session.services().withIgnored); });
    connect(pin, &QAction::triggered, this, [this] { change(m_session.services().withPinned); });
    connect(&m_session, &Session::modelChanged, this, &ModuleActions::update);
    connect(&m_session, &Session::recipeChecked, this, &ModuleActions::update);
    connect(&m_controller, &RunController::stateChanged, this, &ModuleActions::update);
    update();
}

ModuleActions::~ModuleActions() = default;

QString ModuleActions::obstacle() const {
    if (m_session.modelState() != Session::ModelState::Ready) return tr("Open a model first.");
    if (m_controller.active()) return tr("A run is at work.");
    if (m_session.recipe().trimmed().isEmpty()) return tr("Write a recipe or choose a preset first.");
    if (!m_session.parsedRecipe()) return tr("The recipe has errors to correct first.");
    if (m_selected().isEmpty()) return tr("Select modules or blocks in the tree first.");
    return {};
}

void ModuleActions::update() {
    const QString why = obstacle();
    for (QAction* action : {quantize, ignore, pin}) allow(action, why);
}

void ModuleActions::fillQuantizeMenu() {
    m_quantize->clear();
    qDeleteAll(m_quantize->findChildren<QMenu*>());
    QSet<QString> seen;
    if (m_session.parsedRecipe()) {
        m_quantize->addSection(tr("In this recipe"));
        for (const Modifier& modifier : m_session.parsedRecipe()->modifiers)
            for (const auto& [group, scheme] : modifier.config_groups) {
                const QString text = QString::fromStdString(m_session.services().describeScheme(scheme));
                if (seen.contains(text)) continue;
                seen.insert(text);
                addScheme(m_quantize.get(), tr("%1  (%2)").arg(text, QString::fromStdString(group)), scheme);
            }
    }
    m_quantize->addSection(tr("Presets"));
    auto* more = new QMenu(tr("&More presets"), m_quantize.get());
    const int64_t columns = commonColumns(m_session.model(), m_selected());
    for (const std::string& name : m_session.services().presetSchemeNames())
        addPreset(isCommon(name) ? m_quantize.get() : more, name, columns);
    m_quantize->addMenu(more);
}

void ModuleActions::addPreset(QMenu* menu, const std::string& name, int64_t columns) {
    QuantizationScheme scheme = m_session.services().presetScheme(name);
    const QString text = QString::fromStdString(name);
    const int64_t wanted = groupSize(scheme);
    const int64_t fitting = fittingGroupSize(wanted, columns);
    if (fitting == wanted) return addScheme(menu, text, scheme);
    scheme.weights->group_size = fitting;
    addScheme(menu, tr("%1 in groups of %2").arg(text, formatCount(fitting)), scheme);
}

void ModuleActions::addScheme(QMenu* menu, const QString& text, const QuantizationScheme& scheme) {
    QAction* action = menu->addAction(text, this, [this, scheme] {
        change([withOverride = m_session.services().withOverride, scheme](const std::string& recipe, const ModelSummary& model,
                                                                           const std::vector<std::string>& modules) {
            return withOverride(recipe, model, modules, scheme);
        });
    });
    action->setToolTip(QString::fromStdString(m_session.services().describeScheme(scheme)));
}

void ModuleActions::change(const Session::RecipeEdit& edit) {
    if (obstacle().isEmpty()) m_session.changeRecipe(edit, m_selected(), [this](const QString& why) { Q_EMIT failed(why); });
}

}  // namespace calibench
