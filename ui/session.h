#pragma once

#include <QHash>
#include <QObject>
#include <QSet>
#include <QString>
#include <QStringList>
#include <QTimer>

#include <functional>
#include <optional>
#include <vector>

#include "ui/core_services.h"
#include "ui/settings.h"

namespace calibench {

/// What the user has put together: a model, a dataset, a recipe, and the module they look at. Files are read and recipes
/// checked off the window's thread; an answer to an older question is dropped.
class Session : public QObject {
    Q_OBJECT

public:
    enum class ModelState { None, Loading, Ready, Failed };

    explicit Session(CoreServices services, QObject* parent = nullptr);

    void openModel(const QString& folder);
    void closeModel();
    [[nodiscard]] ModelState modelState() const { return m_modelState; }
    [[nodiscard]] const ModelSummary& model() const { return m_model; }  ///< empty unless Ready
    [[nodiscard]] QString modelFolder() const { return m_modelFolder; }
    [[nodiscard]] QString modelError() const { return m_modelError; }

    void setData(const DataSettings& data);
    [[nodiscard]] const DataSettings& data() const { return m_data; }
    /// The texts used lately with the numbers last used for each, the one in use first.
    [[nodiscard]] const QList<DataSettings>& datasets() const { return m_datasets; }
    void setDatasets(const QList<DataSettings>& datasets);  ///< the first one is used from now on
    [[nodiscard]] QString dataProblem() const;  ///< empty when the dataset can be read

    void setRecipe(const QString& yaml);  ///< checked a moment later, when typing pauses
    [[nodiscard]] QString recipe() const { return m_recipe; }
    /// For whoever changes the recipe but is not its editor (the form, the tree, a fix): one step that Undo takes back.
    void changeRecipe(const QString& yaml) { Q_EMIT recipeChangeRequested(yaml); }
    using RecipeEdit = std::function<std::string(const std::string& recipe, const ModelSummary&, const std::vector<std::string>& modules)>;
    /// The same by a text that is made of the present one, off the window's thread. `failed` gets a sentence when nothing comes of it.
    void changeRecipe(const RecipeEdit& edit, const QStringList& modules, const std::function<void(const QString&)>& failed);
    [[nodiscard]] const std::vector<Diagnostic>& diagnostics() const { return m_diagnostics; }
    [[nodiscard]] bool checkingRecipe() const { return m_checkPending; }
    [[nodiscard]] int errorCount() const;
    [[nodiscard]] const std::optional<Recipe>& parsedRecipe() const { return m_parsedRecipe; }
    /// Module -> what the recipe does with it, "W4 g64 sym"; modules that are left alone are absent.
    [[nodiscard]] const QHash<QString, QString>& schemes() const { return m_schemes; }
    [[nodiscard]] const std::vector<ResolvedModule>& resolvedModules() const { return m_resolved; }  ///< of the last check
    [[nodiscard]] const CoreServices& services() const { return m_services; }

    /// Why a run cannot start yet, one sentence; empty when it can.
    [[nodiscard]] QString obstacle() const;
    [[nodiscard]] RunConfig runConfig() const;  ///< without directories

    /// One for the whole window: a module, or a block ("model.layers.3"), or nothing.
    [[nodiscard]] QString selectedModule() const { return m_selectedModule; }
    /// The modules that a change is meant for, in model order: the rows selected in the tree or the table used last, or the one module.
    [[nodiscard]] const QStringList& pickedModules() const { return m_picked; }
    void pickModules(const QStringList& modules);
    /// Modules that something points at without selecting them: those that a target under the pointer matches.
    [[nodiscard]] const QSet<QString>& highlightedModules() const { return m_highlighted; }

public Q_SLOTS:
    void selectModule(const QString& module);
    void highlightModules(const QSet<QString>& modules);

Q_SIGNALS:
    void recipeChangeRequested(const QString& yaml);
    void highlightChanged();
    void modelChanged();    ///< modelState() or model()
    void dataChanged();
    void recipeChecked();   ///< diagnostics() and schemes() are those of recipe()
    void readinessChanged();///< obstacle() may have changed
    void selectionChanged(const QString& module);
    void pickedChanged();

private:
    struct RecipeCheck;
    static RecipeCheck checkRecipe(const CoreServices& services, const std::string& yaml, const ModelSummary* model);
    void startCheck();

    const CoreServices m_services;
    QString m_modelFolder;
    ModelSummary m_model;
    ModelState m_modelState = ModelState::None;
    QString m_modelError;
    DataSettings m_data;
    QList<DataSettings> m_datasets;
    QString m_recipe;
    std::optional<Recipe> m_parsedRecipe;
    std::vector<Diagnostic> m_diagnostics;
    QHash<QString, QString> m_schemes;
    std::vector<ResolvedModule> m_resolved;
    QString m_selectedModule;
    QStringList m_picked;
    QSet<QString> m_highlighted;
    QTimer m_checkDelay;
    bool m_checkPending = false;
    quint64 m_openRequest = 0;
    quint64 m_checkRequest = 0;
};

}  // namespace calibench
