#include "ui/lens/what_if_panel.h"

#include <QSet>

#include <numeric>
#include <unordered_map>

#include "ui/format.h"
#include "ui/lens/stored_size.h"
#include "ui/panels/page_parts.h"
#include "ui/run_controller.h"
#include "ui/session.h"

namespace calibench {

namespace {

QString signedText(double change) { return (change > 0 ? QStringLiteral("+") : QString()) + formatNumber(change); }

/// "SQNR 21.3 → 27 dB (+5.7)"
QString change(const QString& what, double from, double to) {
    return WhatIfPanel::tr("%1 %2 → %3 dB (%4)").arg(what, formatNumber(from), formatNumber(to), signedText(to - from));
}

/// Errors that `asked` makes and `now` does not: what is wrong already is the recipe's, which says so elsewhere.
QString newRefusals(const CoreServices& services, const Recipe& recipe, const ModelSummary& model, const ResolvedRecipe& now, const ResolvedRecipe& asked) {
    QSet<QString> known;
    for (const Diagnostic& finding : services.checkServing(recipe, now, model)) known.insert(QString::fromStdString(finding.message));
    QStringList refusals;
    for (const Diagnostic& finding : services.checkServing(recipe, asked, model)) {
        const QString message = QString::fromStdString(finding.message);
        if (finding.severity == Diagnostic::Severity::Error && !known.contains(message)) refusals << message;
    }
    return refusals.join(QLatin1Char('\n'));
}

}  // namespace

WhatIfPanel::WhatIfPanel(Session& session, const RunController& controller, Microscope& microscope, QWidget* parent)
    : QWidget(parent), m_session(session), m_controller(controller), m_microscope(microscope), m_strip(new WhatIfStrip(session.services())),
      m_effect(session.services()) {
    fill(this, {m_strip});
    connect(m_strip, &WhatIfStrip::asked, this, &WhatIfPanel::ask);
    connect(m_strip, &WhatIfStrip::resetRequested, this, &WhatIfPanel::reset);
    connect(m_strip, &WhatIfStrip::applyRequested, this, &WhatIfPanel::apply);
    connect(&m_session, &Session::pickedChanged, this, &WhatIfPanel::askForPicked);
    connect(&m_session, &Session::recipeChecked, this, &WhatIfPanel::showEffect);
    connect(&m_controller, &RunController::stateChanged, this, &WhatIfPanel::showEffect);
    connect(&m_effect, &SelectionEffect::changed, this, &WhatIfPanel::showEffect);
}

void WhatIfPanel::refresh() {
    const std::optional<Specimen>& specimen = m_microscope.specimen();
    const bool another = specimen && (!m_begunFor || m_begunFor->module != specimen->module || m_begunFor->scheme != specimen->scheme);
    m_begunFor = specimen;
    if (another)
        reset();
    else
        showEffect();
}

void WhatIfPanel::askServing() {
    m_serving.forget();
    m_refusals.clear();
    if (!m_microscope.question() || !m_session.parsedRecipe()) return showEffect();
    Recipe recipe = *m_session.parsedRecipe();
    if (recipe.modifiers.empty()) recipe.modifiers.emplace_back();  // into which it would go
    const ResolvedRecipe now{.modules = m_session.resolvedModules()};
    ResolvedRecipe asked = now;
    const QuantizationScheme scheme = askedScheme();
    std::unordered_map<std::string, size_t> places;
    for (size_t i = 0; i < now.modules.size(); ++i) places.emplace(now.modules[i].name, i);
    for (const QString& module : concerned()) {
        const auto [place, isNew] = places.try_emplace(module.toStdString(), asked.modules.size());
        if (isNew) asked.modules.push_back({.name = module.toStdString(), .scheme = scheme});
        else asked.modules[place->second].scheme = scheme;
    }
    const auto check = [services = m_session.services(), recipe = std::move(recipe), model = m_session.model(), now, asked = std::move(asked)] {
        return newRefusals(services, recipe, model, now, asked);
    };
    m_serving.ask(check, [this](const Outcome<QString>& outcome) {
        m_refusals = outcome.value.value_or(outcome.error);
        showEffect();
    });
}

void WhatIfPanel::ask() {
    m_applyError.clear();
    if (m_strip->differs() || m_microscope.slides().empty())
        m_microscope.ask(m_strip->question());
    else
        m_microscope.stopAsking();
    askForPicked();
}

void WhatIfPanel::reset() {
    m_microscope.stopAsking();
    m_effect.stop();
    m_serving.forget();
    m_refusals.clear();
    m_applyError.clear();
    if (!m_microscope.specimen()) return;
    const std::optional<QuantizationScheme>& scheme = m_microscope.specimen()->scheme;
    const std::vector<int64_t> sizes = fittingSizes();
    WhatIf now;
    if (scheme) now = {.weights = scheme->weights, .inputs = scheme->input_activations};
    if (!now.weights) now.weights = QuantizationArgs{.num_bits = 4, .group_size = sizes.empty() ? std::nullopt : std::optional(sizes.front()), .strategy = sizes.empty() ? Strategy::Channel : Strategy::Group};
    m_strip->start(now, sizes);
    showEffect();
}

QStringList WhatIfPanel::concerned() const {
    if (!m_microscope.specimen()) return {};
    const QString shown = QString::fromStdString(m_microscope.specimen()->module);
    return m_session.pickedModules().contains(shown) ? m_session.pickedModules() : QStringList{shown};
}

/// Group sizes that divide the columns of every module concerned.
std::vector<int64_t> WhatIfPanel::fittingSizes() const {
    const QStringList modules = concerned();
    const QSet<QString> wanted(modules.begin(), modules.end());
    int64_t columns = 0;
    for (const ModuleInfo& module : m_session.model().modules)
        if (module.shape.size() == 2 && wanted.contains(QString::fromStdString(module.name))) columns = std::gcd(columns, module.shape[1]);
    std::vector<int64_t> sizes;
    for (int64_t size = 512; size >= 8; size /= 2)
        if (columns > 0 && columns % size == 0) sizes.push_back(size);
    return sizes;
}

std::vector<ResolvedModule> WhatIfPanel::resolved(const QStringList& modules) const {
    const QSet<QString> wanted(modules.begin(), modules.end());
    std::vector<ResolvedModule> found;
    for (const ResolvedModule& module : m_session.resolvedModules())
        if (wanted.contains(QString::fromStdString(module.name))) found.push_back(module);
    return found;
}

void WhatIfPanel::askForPicked() {
    askServing();
    const QStringList modules = concerned();
    m_strip->setSizes(fittingSizes());
    const std::optional<WhatIf>& question = m_microscope.question();
    if (!question || !question->weights || modules.size() < 2) {
        m_effect.stop();
        return showEffect();
    }
    const std::vector<ResolvedModule> now = resolved(modules);
    std::vector<ResolvedModule> asked = now;
    for (ResolvedModule& module : asked) {
        module.scheme.weights = question->weights;
        if (question->inputs) module.scheme.input_activations = question->inputs;
    }
    m_effect.ask(m_microscope.specimen()->model, m_microscope.specimen()->run, now, asked);
}

QString WhatIfPanel::whyNotApply() const {
    if (!m_microscope.question()) return tr("Change something first.");
    if (m_controller.active()) return tr("A run is at work.");
    if (!m_session.parsedRecipe()) return tr("The recipe has errors to correct first.");
    return m_microscope.problem();
}

void WhatIfPanel::showEffect() {
    QStringList parts;
    if (m_microscope.question()) {
        const auto count = static_cast<int>(concerned().size());
        if (count > 1) parts << tr("%n module(s)", nullptr, count);
        parts << (count > 1 ? effectOnPicked() : effectOnShown()) << effectOnSize() << effectOnInputs();
        parts.removeAll(QString());
    }
    m_strip->showEffect(m_applyError.isEmpty() ? parts.join(QStringLiteral(" · ")) : m_applyError, whyNotApply());
    m_strip->showWarning(m_refusals);
}

QString WhatIfPanel::effectOnShown() const {
    const std::vector<Slide> slides = m_microscope.slides();
    if (slides.size() < 2 || slides.back().kind != Slide::Kind::WhatIf) return {};
    return change(tr("SQNR"), slides.front().weight->facts().sqnr_db, slides.back().weight->facts().sqnr_db);
}

QString WhatIfPanel::effectOnPicked() const {
    if (!m_effect.error().isEmpty()) return m_effect.error();
    const auto& sums = m_effect.sums();
    if (!sums) return m_effect.busy() ? tr("reading their weights…") : QString();
    return change(tr("mean SQNR"), sums->meanNow, sums->meanAsked) + QStringLiteral(" · ") + change(tr("worst"), sums->worstNow, sums->worstAsked);
}

QString WhatIfPanel::effectOnSize() const {
    const QStringList modules = concerned();
    const QSet<QString> wanted(modules.begin(), modules.end());
    std::unordered_map<std::string, const QuantizationArgs*> now;
    for (const ResolvedModule& module : m_session.resolvedModules())
        if (module.scheme.weights) now.emplace(module.name, &*module.scheme.weights);
    double before = 0, after = 0;
    for (const ModuleInfo& module : m_session.model().modules) {
        if (!wanted.contains(QString::fromStdString(module.name))) continue;
        const auto own = now.find(module.name);
        const QuantizationArgs* is = own == now.end() ? nullptr : own->second;
        const auto& asked = m_microscope.question()->weights;
        before += static_cast<double>(storedBytes(module, is));
        after += static_cast<double>(storedBytes(module, asked ? &*asked : is));
    }
    if (before == after || before == 0) return tr("%1, as now").arg(formatBytes(after));
    const double percent = 100 * (after / before - 1);
    return tr("%1 → %2 (%3 %)").arg(formatBytes(before), formatBytes(after), signedText(percent));
}

QString WhatIfPanel::effectOnInputs() const {
    const auto& scheme = m_microscope.specimen()->scheme;
    if (scheme && scheme->input_activations == m_microscope.question()->inputs) return {};
    if (concerned().size() > 1) return effectOnPickedInputs();
    const InputView &now = m_microscope.inputNow(), &asked = m_microscope.inputAsked();
    if (!asked.problem.isEmpty()) return asked.problem;
    if (!asked.answer) return m_microscope.question()->inputs && !m_microscope.input() ? tr("inputs: no run has looked at them yet") : QString();
    const QString bound = tr(" ± %1").arg(formatNumber(asked.answer->sqnr_error_db));
    if (!now.answer) return tr("inputs %1 dB").arg(formatNumber(asked.answer->sqnr_db) + bound);
    return change(tr("inputs"), now.answer->sqnr_db, asked.answer->sqnr_db) + bound;
}

QString WhatIfPanel::effectOnPickedInputs() const {
    const auto& sums = m_effect.sums();
    if (!sums) return {};
    if (sums->inputs.count == 0) return sums->inputs.problem.isEmpty() ? tr("inputs: no run has looked at them yet") : sums->inputs.problem;
    const QString what = sums->inputs.count == concerned().size() ? tr("inputs") : tr("inputs of %n module(s)", nullptr, sums->inputs.count);
    return change(what, sums->inputs.meanNow, sums->inputs.meanAsked) + tr(" ± %1").arg(formatNumber(sums->inputs.bound));
}

QuantizationScheme WhatIfPanel::askedScheme() const {
    QuantizationScheme scheme = m_microscope.specimen()->scheme.value_or(QuantizationScheme{});
    scheme.targets.clear();
    scheme.format.reset();  // the old arguments' one
    if (m_microscope.question()->weights) scheme.weights = m_microscope.question()->weights;
    if (m_microscope.question()->inputs) scheme.input_activations = m_microscope.question()->inputs;
    return scheme;
}

void WhatIfPanel::apply() {
    if (!whyNotApply().isEmpty()) return;
    const auto edit = [withOverride = m_session.services().withOverride, scheme = askedScheme()](const std::string& recipe, const ModelSummary& model, const std::vector<std::string>& modules) {
        return withOverride(recipe, model, modules, scheme);
    };
    m_session.changeRecipe(edit, concerned(), [this](const QString& why) {
        m_applyError = why;
        showEffect();
    });
}

}  // namespace calibench
