#include "ui/recipe/recipe_form.h"

#include <QComboBox>
#include <QFrame>
#include <QLabel>
#include <QPushButton>
#include <QScrollArea>
#include <QToolButton>
#include <QVBoxLayout>

#include <algorithm>
#include <cctype>
#include <numeric>
#include <set>

#include "ui/form_section.h"
#include "ui/recipe/args_form.h"
#include "ui/recipe/group_form.h"
#include "ui/recipe/modifier_form.h"
#include "ui/recipe/scheme_words.h"
#include "ui/recipe/target_list_edit.h"
#include "ui/recipe/target_matcher.h"
#include "ui/session.h"
#include "ui/theme.h"

namespace calibench {

namespace {

const char* const OwnGroups = "own groups";  // no preset has this name
constexpr qsizetype NamesInTooltip = 8;
constexpr size_t MaxTextShown = 256 << 10;   // reading a larger text with every change would hold the window up

const char* const StarterRecipe =
    "default_stage:\n"
    "  default_modifiers:\n"
    "    AutoRoundModifier:\n"
    "      scheme: W4A16\n"
    "      ignore: [lm_head]\n";

std::string joined(const RecipePath& path) {
    return std::accumulate(path.begin(), path.end(), std::string(), [](std::string text, const std::string& key) { return std::move(text) + '/' + key; });
}

std::string upper(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    return text;
}

/// `text` with the first `from` on its line `line` replaced, which keeps all else there: indentation, quotes, comments.
std::string withWord(const std::string& text, int line, const std::string& from, const std::string& to) {
    size_t begin = 0;
    for (int i = 1; i < line && begin != std::string::npos; ++i) begin = text.find('\n', begin) + 1;
    const size_t at = text.find(from, begin);
    return at == std::string::npos ? text : std::string(text).replace(at, from.size(), to);
}

QLabel* makeNote() {
    auto* note = new QLabel;
    note->setWordWrap(true);
    note->setForegroundRole(QPalette::PlaceholderText);
    return note;
}

}  // namespace

RecipeForm::RecipeForm(Session& session, QWidget* parent) : QWidget(parent), m_session(session), m_matcher(new TargetMatcher(session, this)) {
    m_scroll = new QScrollArea;
    m_scroll->setAccessibleName(tr("Recipe as a form"));
    m_scroll->setWidgetResizable(true);
    m_scroll->setFrameShape(QFrame::NoFrame);
    m_scroll->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    m_scroll->setWidget(makeContent());
    m_scroll->setMinimumHeight(120);
    m_scroll->hide();
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(0);
    layout->addWidget(makeProblem());
    layout->addWidget(m_scroll, 1);
    layout->addStretch(0);
    setAccessibleName(tr("Recipe, as a form"));

    connect(&m_session, &Session::recipeChecked, this, [this] {
        m_shares.take(m_session);
        show(m_session.parsedRecipe(), m_session.diagnostics());
    });
    connect(&m_session, &Session::modelChanged, this, [this] {
        m_shares.take(m_session);
        showResolved();
    });
    m_shares.take(m_session);
    refill();
}

QWidget* RecipeForm::makeProblem() {
    m_problem = new QFrame;
    m_problemText = new QLabel;
    m_problemText->setWordWrap(true);
    m_problemText->setTextFormat(Qt::PlainText);
    m_goToLine = new QPushButton;
    m_start = new QPushButton(tr("Start with W4A16"));
    m_start->setToolTip(tr("AutoRound with 4-bit weights in groups of 128"));
    connect(m_goToLine, &QPushButton::clicked, this, [this] { Q_EMIT lineRequested(m_problemLine); });
    connect(m_start, &QPushButton::clicked, this, &RecipeForm::start);
    auto* layout = new QVBoxLayout(m_problem);
    layout->setContentsMargins(8, 8, 8, 8);
    layout->setSpacing(8);
    layout->addWidget(m_problemText);
    layout->addWidget(m_goToLine, 0, Qt::AlignLeft);
    layout->addWidget(m_start, 0, Qt::AlignLeft);
    return m_problem;
}

QWidget* RecipeForm::makeContent() {
    m_content = new QWidget;
    auto* layout = new QVBoxLayout(m_content);
    layout->setContentsMargins(8, 8, 4, 8);
    layout->setSpacing(4);
    m_modifiers = new QComboBox;
    m_modifiers->setToolTip(tr("The recipe has several modifiers; where two target a module, the last one decides"));
    m_modifiers->setAccessibleName(tr("Modifier"));
    connect(m_modifiers, &QComboBox::activated, this, [this](int index) {
        m_index = static_cast<size_t>(index);
        fill();
    });
    m_modifierForm = new ModifierForm;
    connect(m_modifierForm, &ModifierForm::changed, this, &RecipeForm::apply);
    connect(m_modifierForm, &ModifierForm::classRequested, this, &RecipeForm::changeClass);
    layout->addWidget(m_modifiers);
    layout->addWidget(m_modifierForm);
    layout->addWidget(makeRule());
    makeScheme(layout);

    m_ignore = makeTargets(tr("Ignored"));
    QLabel* ignored = makeHeading(tr("Ignored"));
    ignored->setToolTip(tr("ignore: modules that stay as they are, whatever targets them"));
    layout->addWidget(makeRule());
    layout->addWidget(ignored);
    layout->addWidget(m_ignore);

    m_kvCache = new ArgsForm(ArgsForm::Kind::KvCache, m_session.services().observerNames());
    connect(m_kvCache, &ArgsForm::changed, this, &RecipeForm::apply);
    m_otherKeys = new QPushButton;
    m_otherKeys->setFlat(true);
    m_otherKeys->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Fixed);
    connect(m_otherKeys, &QPushButton::clicked, this, &RecipeForm::yamlRequested);
    layout->addWidget(makeRule());
    layout->addWidget(m_kvCache);
    layout->addWidget(m_otherKeys);
    layout->addStretch();
    return m_content;
}

void RecipeForm::makeScheme(QVBoxLayout* layout) {
    auto* grid = new SettingsGrid;
    std::vector<ChoiceSetting::Choice> choices{{OwnGroups, tr("own groups"), tr("Groups of modules, each with a scheme of its own")}};
    const CoreServices& services = m_session.services();
    for (const std::string& name : services.presetSchemeNames())
        choices.push_back({name, QString::fromStdString(name), schemeWords(services.presetScheme(name))});
    m_scheme = grid->add<ChoiceSetting>(Setting::Words{tr("Scheme"), tr("A preset for all targets, or groups of your own")}, Json(OwnGroups), std::move(choices));
    m_scheme->setRequired(true);
    m_scheme->changed = [this](const std::optional<Json>& value, bool) { changeScheme(value->get<std::string>()); };
    m_schemeHelp = makeNote();
    m_targetsLabel = makeHeading(tr("Targets"));
    m_targets = makeTargets(tr("Targets"));
    m_groupsLayout = new QVBoxLayout;
    m_groupsLayout->setSpacing(4);
    auto* add = new QToolButton;
    add->setIcon(symbolicIcon(QStringLiteral("add")));
    add->setIconSize({12, 12});
    add->setText(tr("Add a group"));
    add->setToolTip(tr("Quantize some modules in another way"));
    add->setToolButtonStyle(Qt::ToolButtonTextBesideIcon);
    connect(add, &QToolButton::clicked, this, &RecipeForm::addGroup);
    m_addGroup = add;
    for (QWidget* widget : std::initializer_list<QWidget*>{grid, m_schemeHelp, m_targetsLabel, m_targets}) layout->addWidget(widget);
    layout->addLayout(m_groupsLayout);
    layout->addWidget(m_addGroup, 0, Qt::AlignLeft);
}

TargetListEdit* RecipeForm::makeTargets(const QString& title) {
    auto* targets = new TargetListEdit(*m_matcher, title, TargetListEdit::Emptiness::Allowed);
    connect(targets, &TargetListEdit::changed, this, &RecipeForm::apply);
    connect(targets, &TargetListEdit::pointedAt, this, &RecipeForm::point);
    return targets;
}

void RecipeForm::refill() {
    if (m_session.recipe().size() > static_cast<qsizetype>(MaxTextShown)) return;  // its check comes, off this thread
    const ParsedRecipe parsed = m_session.services().parseRecipe(m_session.recipe().toStdString());
    show(parsed.recipe, parsed.diagnostics);
}

void RecipeForm::show(const std::optional<Recipe>& recipe, const std::vector<Diagnostic>& diagnostics) {
    const QString text = m_session.recipe();
    m_start->setVisible(text.trimmed().isEmpty());
    if (text.trimmed().isEmpty()) return showProblem(tr("No recipe yet. Choose a preset above, or:"), 0);
    if (text.size() > static_cast<qsizetype>(MaxTextShown)) return showProblem(tr("This recipe is too long for a form. Edit it as YAML."), 1);
    if (!recipe) {
        const auto error = std::find_if(diagnostics.begin(), diagnostics.end(), [](const Diagnostic& d) { return d.severity == Diagnostic::Severity::Error; });
        return error == diagnostics.end() ? showProblem(tr("The recipe cannot be read."), 1) : showProblem(QString::fromStdString(error->message), error->line);
    }
    Json values = m_session.services().recipeValues(text.toStdString());
    const bool found = !recipe->modifiers.empty() && std::all_of(recipe->modifiers.begin(), recipe->modifiers.end(), [&](const Modifier& modifier) {
        const Json* value = valueAt(values, modifier.path);
        return value && value->is_object();
    });
    if (!found) return showProblem(tr("There is nothing that a form could show. Edit the recipe as YAML."), 1);
    m_recipe = recipe;
    m_values = std::move(values);
    m_problem->hide();
    m_content->setEnabled(true);
    m_scroll->show();
    fill();
}

void RecipeForm::showProblem(const QString& sentence, int line) {
    m_problemText->setText(sentence);
    m_problemLine = line;
    m_goToLine->setText(line > 0 ? tr("Go to line %1").arg(line) : tr("Go to the text"));
    m_goToLine->setVisible(m_start->isHidden());
    m_problem->show();
    m_content->setEnabled(false);
    m_scroll->setVisible(m_recipe.has_value() && m_start->isHidden());
}

const Json* RecipeForm::said(const std::string& key) const {
    const Json* value = valueAt(m_values, below(modifier().path, {key}));
    return value && !value->is_null() ? value : nullptr;
}

void RecipeForm::fill() {
    m_index = std::min(m_index, m_recipe->modifiers.size() - 1);
    QStringList names;
    for (const Modifier& modifier : m_recipe->modifiers) names << tr("Line %1: %2").arg(modifier.line).arg(QString::fromStdString(modifier.class_name));
    m_modifiers->clear();
    m_modifiers->addItems(names);
    m_modifiers->setCurrentIndex(static_cast<int>(m_index));
    m_modifiers->setVisible(names.size() > 1);

    m_modifierForm->show(modifier(), m_values);
    fillScheme();
    fillGroups();
    m_ignore->show(below(modifier().path, {"ignore"}), said("ignore"));
    const auto& kvCache = modifier().kv_cache_scheme;
    m_kvCache->show(below(modifier().path, {"kv_cache_scheme"}), said("kv_cache_scheme"), kvCache ? &*kvCache : nullptr);
    fillOtherKeys();
    showResolved();
}

void RecipeForm::fillScheme() {
    const Json* preset = said("scheme");
    const bool isPreset = preset && preset->is_string();
    Json shown = isPreset ? Json(upper(preset->get<std::string>())) : Json(OwnGroups);
    if (!said("config_groups") && !isPreset) shown = preset ? tr("a preset for each of several").toStdString() : tr("none").toStdString();
    m_scheme->show(&shown);
    m_schemeHelp->setVisible(!said("config_groups"));
    if (isPreset && !modifier().config_groups.empty())
        m_schemeHelp->setText(schemeWords(modifier().config_groups.front().second));
    else
        m_schemeHelp->setText(preset ? tr("Choose own groups to change them here.") : tr("Neither weights nor activations are quantized."));
    const bool oneList = !said("config_groups") && (isPreset || !preset);
    m_targetsLabel->setVisible(oneList);
    m_targets->setVisible(oneList);
    if (oneList) m_targets->show(below(modifier().path, {"targets"}), said("targets"), {QStringLiteral("Linear")});
}

void RecipeForm::fillGroups() {
    const Json* groups = said("config_groups");
    const size_t count = groups ? modifier().config_groups.size() : 0;
    while (m_groups.size() > count) {
        m_groups.back()->hide();
        m_groups.back()->deleteLater();  // it may have asked for this itself
        m_groups.pop_back();
    }
    while (m_groups.size() < count) {
        auto* form = new GroupForm(*m_matcher, m_session.services().observerNames());
        connect(form, &GroupForm::changed, this, &RecipeForm::apply);
        connect(form, &GroupForm::pointedAt, this, &RecipeForm::point);
        m_groupsLayout->addWidget(form);
        placeInTabOrder(form, m_addGroup);
        m_groups.push_back(form);
    }
    for (size_t i = 0; i < count; ++i) {
        const auto& [name, scheme] = modifier().config_groups[i];
        const Json* value = valueAt(*groups, {name});
        m_groups[i]->show(below(modifier().path, {"config_groups", name}), value ? *value : Json::object(), scheme);
        m_groups[i]->setRemovalObstacle(count > 1 ? QString() : tr("A recipe needs a group; choose a preset instead"));
    }
    m_addGroup->setVisible(count > 0);
}

void RecipeForm::fillOtherKeys() {
    QStringList keys = m_modifierForm->otherKeys();
    for (const GroupForm* group : m_groups) keys << group->otherKeys();
    keys << m_kvCache->otherKeys();
    for (const auto& [key, value] : m_values.items()) {
        const bool isStage = std::any_of(m_recipe->modifiers.begin(), m_recipe->modifiers.end(), [&key = key](const Modifier& m) { return m.path.front() == key; });
        if (!isStage && key != "calibench") keys << QString::fromStdString(key);
    }
    m_otherKeys->setVisible(!keys.isEmpty());
    m_otherKeys->setText(tr("%n more key(s) in YAML: ", nullptr, static_cast<int>(keys.size())) + keys.join(QStringLiteral(", ")));
    m_otherKeys->setToolTip(tr("The form has no field for these and leaves them alone. Click to see them.") + QLatin1Char('\n') + keys.join(QLatin1Char('\n')));
}

void RecipeForm::showResolved() {
    if (!m_recipe) return;
    for (size_t i = 0; i < m_groups.size(); ++i) {
        const auto& [name, scheme] = modifier().config_groups[i];
        const GroupShares::Share share = m_shares.of(m_index, name);
        QString summary = QString::fromStdString(m_session.services().describeScheme(scheme));
        if (m_session.modelState() == Session::ModelState::Ready) summary = tr("%1, %n module(s)", nullptr, static_cast<int>(share.modules.size())).arg(summary);
        m_groups[i]->setSummary(summary, schemeWords(scheme) + QLatin1Char('\n') + share.modules.mid(0, NamesInTooltip).join(QLatin1Char('\n')));
        m_groups[i]->setFittingSizes(groupSizesThatFit(share.columns), groupSizesThatFit(share.rows));
    }
}

void RecipeForm::apply(const RecipeChanges& changes) {
    const CoreServices& services = m_session.services();
    std::string text = m_session.recipe().toStdString();
    try {
        for (const RecipeChange& change : changes)
            text = change.value ? services.withValue(text, change.path, *change.value) : services.without(text, change.path);
    } catch (const std::exception& error) {
        refill();  // the fields go back to what the text says
        showProblem(QString::fromUtf8(error.what()), modifier().line);
        m_content->setEnabled(true);
        return;
    }
    offer(text, changes.front().typed ? QString::fromStdString(joined(changes.front().path)) : QString());
}

void RecipeForm::offer(const std::string& text, const QString& place) { Q_EMIT edited(QString::fromStdString(text), place); }

void RecipeForm::changeClass(const QString& className) {
    const CoreServices& services = m_session.services();
    RecipePath path = modifier().path;
    std::string text = withWord(m_session.recipe().toStdString(), modifier().line, path.back(), className.toStdString());
    path.back() = className.toStdString();
    if (className != QLatin1String("AutoRoundModifier"))  // the other one refuses what it does not know
        for (const char* key : {"iters", "batch_size", "lr", "enable_torch_compile", "disable_opt_rtn", "device_ids"})
            text = services.without(text, below(path, {key}));
    offer(text, {});
}

RecipeChanges RecipeForm::asOwnGroups() const {
    Modifier spelledOut = modifier();
    spelledOut.scheme.reset();
    const Recipe one{.stage = m_recipe->stage, .modifiers = {spelledOut}};
    const Json values = m_session.services().recipeValues(m_session.services().writeRecipe(one));
    const Json* groups = valueAt(values, {one.stage + "_stage", spelledOut.group + "_modifiers", spelledOut.class_name, "config_groups"});
    const RecipePath path = modifier().path;
    RecipeChanges changes;
    if (groups) changes.push_back({below(path, {"config_groups"}), *groups});
    for (const char* key : {"scheme", "targets"})
        if (said(key)) changes.push_back({below(path, {key}), std::nullopt});
    return changes;
}

void RecipeForm::changeScheme(const std::string& preset) {
    const RecipePath path = modifier().path;
    if (preset == OwnGroups) {
        if (!said("config_groups")) apply(asOwnGroups());
        return;
    }
    RecipeChanges changes{{below(path, {"scheme"}), Json(preset)}};
    if (said("config_groups")) {
        const auto& groups = modifier().config_groups;
        changes.push_back({below(path, {"config_groups"}), std::nullopt});
        if (groups.size() == 1 && groups.front().second.targets != std::vector<std::string>{"Linear"})
            changes.push_back({below(path, {"targets"}), Json(groups.front().second.targets)});
    }
    apply(changes);
}

std::string RecipeForm::targetForNewGroup() const {
    std::set<std::string> taken;
    for (const auto& [name, scheme] : modifier().config_groups) taken.insert(scheme.targets.begin(), scheme.targets.end());
    const auto pattern = [](const std::string& module) { return "re:.*" + module.substr(module.rfind('.') + 1) + "$"; };
    std::vector<std::string> candidates;
    const std::string selected = m_session.selectedModule().toStdString();
    const auto& modules = m_session.model().modules;
    for (const ModuleInfo& module : modules)
        if (module.name == selected) candidates.push_back(pattern(selected));
    for (auto module = modules.rbegin(); module != modules.rend(); ++module)  // the last projection of a block bears rounding worst
        if (module->block >= 0 && module->class_name == "Linear") candidates.push_back(pattern(module->name));
    candidates.push_back("re:.*down_proj$");
    const auto free = std::find_if(candidates.begin(), candidates.end(), [&](const std::string& target) { return !taken.contains(target); });
    return free == candidates.end() ? candidates.back() : *free;
}

void RecipeForm::addGroup() {
    std::set<std::string> names;
    for (const auto& [name, scheme] : modifier().config_groups) names.insert(name);
    std::string name;
    for (size_t i = names.size(); name.empty() || names.contains(name); ++i) name = "group_" + std::to_string(i);
    const Json weights = {{"num_bits", 8}, {"type", "int"}, {"symmetric", true}, {"strategy", "channel"}};
    apply({{below(modifier().path, {"config_groups", name}), Json{{"targets", Json::array({targetForNewGroup()})}, {"weights", weights}}}});
    if (m_groups.empty()) return;
    m_groups.back()->editFirstTarget();
    m_scroll->ensureWidgetVisible(m_groups.back());
}

void RecipeForm::start() { offer(StarterRecipe, {}); }

void RecipeForm::point(const QString& target) {
    QSet<QString> modules;
    if (const auto* match = target.isEmpty() ? nullptr : m_matcher->find(target)) modules = QSet<QString>(match->modules.begin(), match->modules.end());
    m_session.highlightModules(modules);
}

}  // namespace calibench
