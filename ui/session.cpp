#include "ui/session.h"

#include <QFileInfo>

#include <algorithm>
#include <chrono>
#include <utility>

#include "ui/background.h"
#include "ui/format.h"

namespace calibench {

using namespace std::chrono_literals;

namespace {

constexpr qsizetype MaxDatasets = 8;

}  // namespace

struct Session::RecipeCheck {
    std::optional<Recipe> recipe;
    std::vector<Diagnostic> diagnostics;
    QHash<QString, QString> schemes;
    std::vector<ResolvedModule> resolved;
};

Session::Session(CoreServices services, QObject* parent) : QObject(parent), m_services(std::move(services)) {
    m_checkDelay.setSingleShot(true);
    m_checkDelay.setInterval(200ms);  // shorter than a pause for thought, longer than the gap between two keys
    connect(&m_checkDelay, &QTimer::timeout, this, &Session::startCheck);
    for (const auto signal : {&Session::modelChanged, &Session::dataChanged, &Session::recipeChecked})
        connect(this, signal, this, &Session::readinessChanged);
}

void Session::openModel(const QString& folder) {
    const quint64 request = ++m_openRequest;
    m_modelFolder = QFileInfo(folder).absoluteFilePath();
    m_model = {};
    m_modelError.clear();
    m_modelState = ModelState::Loading;
    selectModule({});
    Q_EMIT modelChanged();
    const auto inspect = [inspectModel = m_services.inspectModel, path = toPath(m_modelFolder)] { return inspectModel(path); };
    runInBackground(this, inspect, [this, request](Outcome<ModelSummary> outcome) {
        if (request != m_openRequest) return;
        m_modelState = outcome.value ? ModelState::Ready : ModelState::Failed;
        m_modelError = outcome.error;
        if (outcome.value) m_model = std::move(*outcome.value);
        Q_EMIT modelChanged();
        startCheck();
    });
}

void Session::closeModel() {
    ++m_openRequest;  // a model that is being read is not wanted any more
    m_modelFolder.clear();
    m_model = {};
    m_modelError.clear();
    m_modelState = ModelState::None;
    selectModule({});
    Q_EMIT modelChanged();
    startCheck();
}

void Session::setData(const DataSettings& data) {
    if (std::exchange(m_data, data) == data) return;
    m_datasets.removeIf([&data](const DataSettings& known) { return known.file == data.file; });
    if (!data.file.isEmpty()) m_datasets.prepend(data);
    m_datasets.resize(std::min(m_datasets.size(), MaxDatasets));
    Q_EMIT dataChanged();
}

void Session::setDatasets(const QList<DataSettings>& datasets) {
    m_datasets = datasets.mid(0, MaxDatasets);
    m_data = m_datasets.value(0);
    Q_EMIT dataChanged();
}

QString Session::dataProblem() const {
    if (m_data.file.isEmpty()) return tr("Choose a calibration text first.");
    const QFileInfo file(m_data.file);
    if (!file.exists()) return tr("The dataset %1 does not exist.").arg(m_data.file);
    if (!file.isFile() || !file.isReadable()) return tr("The dataset %1 cannot be read.").arg(m_data.file);
    return {};
}

void Session::setRecipe(const QString& yaml) {
    if (m_recipe == yaml) return;
    m_recipe = yaml;
    m_checkPending = true;
    ++m_checkRequest;  // what is being checked now is no longer what the user sees
    m_checkDelay.start();
    Q_EMIT readinessChanged();
}

Session::RecipeCheck Session::checkRecipe(const CoreServices& services, const std::string& yaml, const ModelSummary* model) {
    RecipeCheck check;
    ParsedRecipe parsed = services.parseRecipe(yaml);
    check.diagnostics = std::move(parsed.diagnostics);
    if (parsed.recipe && model) {
        ResolvedRecipe resolved = services.resolveRecipe(*parsed.recipe, *model);
        check.diagnostics.insert(check.diagnostics.end(), resolved.diagnostics.begin(), resolved.diagnostics.end());
        for (const ResolvedModule& module : resolved.modules)
            check.schemes.insert(QString::fromStdString(module.name), QString::fromStdString(services.describeScheme(module.scheme)));
        check.resolved = std::move(resolved.modules);
    }
    std::stable_sort(check.diagnostics.begin(), check.diagnostics.end(),
                     [](const Diagnostic& a, const Diagnostic& b) { return a.line < b.line; });
    check.recipe = std::move(parsed.recipe);
    return check;
}

void Session::changeRecipe(const RecipeEdit& edit, const QStringList& modules, const std::function<void(const QString&)>& failed) {
    std::vector<std::string> names;
    for (const QString& module : modules) names.push_back(module.toStdString());
    const auto work = [edit, recipe = m_recipe.toStdString(), model = m_model, names = std::move(names)] { return edit(recipe, model, names); };
    runInBackground(this, work, [this, before = m_recipe, failed](const Outcome<std::string>& outcome) {
        if (!outcome.value)
            failed(outcome.error);
        else if (m_recipe != before)
            failed(tr("The recipe was changed at the same moment. Try again."));
        else
            changeRecipe(QString::fromStdString(*outcome.value));
    });
}

void Session::startCheck() {
    m_checkDelay.stop();
    m_checkPending = true;
    const quint64 request = ++m_checkRequest;
    std::optional<ModelSummary> model;
    if (m_modelState == ModelState::Ready) model = m_model;
    const auto check = [services = m_services, yaml = m_recipe.toStdString(), model = std::move(model)] {
        return checkRecipe(services, yaml, model ? &*model : nullptr);
    };
    runInBackground(this, check, [this, request](Outcome<RecipeCheck> outcome) {
        if (request != m_checkRequest) return;
        m_checkPending = false;
        if (!outcome.value) {
            outcome.value.emplace();
            outcome.value->diagnostics.push_back({.message = outcome.error.toStdString()});
        }
        m_parsedRecipe = std::move(outcome.value->recipe);
        m_diagnostics = std::move(outcome.value->diagnostics);
        m_schemes = std::move(outcome.value->schemes);
        m_resolved = std::move(outcome.value->resolved);
        Q_EMIT recipeChecked();
    });
}

int Session::errorCount() const {
    return static_cast<int>(std::count_if(m_diagnostics.begin(), m_diagnostics.end(), [](const Diagnostic& diagnostic) {
        return diagnostic.severity == Diagnostic::Severity::Error;
    }));
}

QString Session::obstacle() const {
    switch (m_modelState) {
        case ModelState::None: return tr("Open a model first.");
        case ModelState::Loading: return tr("The model is still being read.");
        case ModelState::Failed: return tr("The model could not be opened.");
        case ModelState::Ready: break;
    }
    if (const QString problem = dataProblem(); !problem.isEmpty()) return problem;
    if (m_recipe.trimmed().isEmpty()) return tr("Write a recipe or choose a preset first.");
    if (m_checkPending) return tr("The recipe is being checked.");
    if (const int errors = errorCount()) return tr("The recipe has %n error(s) to correct first.", nullptr, errors);
    if (m_schemes.isEmpty()) return tr("The recipe quantizes no module of this model.");
    return {};
}

RunConfig Session::runConfig() const {
    RunConfig config;
    config.model_dir = toPath(m_modelFolder);
    config.dataset = toPath(m_data.file);
    config.recipe_yaml = m_recipe.toStdString();
    config.num_samples = m_data.numSamples;
    config.seq_len = m_data.seqLen;
    config.seed = static_cast<uint64_t>(m_data.seed);
    if (m_data.iters >= 0) config.iters = m_data.iters;
    if (m_data.batchSize > 0) config.batch_size = m_data.batchSize;
    return config;
}

void Session::selectModule(const QString& module) {
    if (std::exchange(m_selectedModule, module) == module) return;
    const auto belongs = [&module](const QString& picked) { return picked == module || picked.startsWith(module + QLatin1Char('.')); };
    if (std::none_of(m_picked.begin(), m_picked.end(), belongs)) pickModules(module.isEmpty() ? QStringList() : QStringList{module});
    Q_EMIT selectionChanged(module);
}

void Session::pickModules(const QStringList& modules) {
    if (std::exchange(m_picked, modules) != modules) Q_EMIT pickedChanged();
}

void Session::highlightModules(const QSet<QString>& modules) {
    if (std::exchange(m_highlighted, modules) != modules) Q_EMIT highlightChanged();
}

}  // namespace calibench
