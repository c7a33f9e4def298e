#pragma once

#include <QObject>
#include <QSettings>
#include <QStringList>

#include <memory>
#include <optional>

namespace calibench {

enum class Theme { System, Light, Dark };
[[nodiscard]] QStringList themeNames();  ///< as they are stored and named on the command line, in the order of Theme

/// How many tokens of which text a run looks at, and the few numbers that may override the recipe.
struct DataSettings {
    QString file;
    int numSamples = 128;
    int seqLen = 512;
    int seed = 42;
    int iters = -1;      ///< -1: as the recipe says
    int batchSize = -1;  ///< -1: as the recipe says

    bool operator==(const DataSettings&) const = default;
};

/// On what perplexity is measured.
struct EvaluationSettings {
    QString text;  ///< empty: none was chosen yet
    int maxTokens = 16384;  ///< 0: all
    int seqLen = 512;
};

/// How runs use this computer; the same for every project.
struct RunOptions {
    int threads = 0;  ///< 0: chosen for this computer, see threadsFor()
    QString device = QStringLiteral("auto");
    QString dtype = QStringLiteral("auto");

    bool operator==(const RunOptions&) const = default;
};

/// The threads of a run beside an open window. A core is left to the window where there are enough of them for it not to be missed.
[[nodiscard]] int threadsFor(const RunOptions& options, int cores);

/// What the window remembers, with every default in one place. For the window's thread only.
class Settings : public QObject {
    Q_OBJECT

public:
    /// `file` empty: the user's own settings.
    explicit Settings(const QString& file = {}, QObject* parent = nullptr);

    [[nodiscard]] Theme theme() const;
    void setTheme(Theme theme);
    void overrideTheme(Theme theme);  ///< until setTheme(); not remembered

    enum class Recent { Projects, Models, Recipes };
    [[nodiscard]] QStringList recent(Recent kind) const;
    void addRecent(Recent kind, const QString& path);
    void removeRecent(Recent kind, const QString& path);

    [[nodiscard]] DataSettings data() const;
    void setData(const DataSettings& data);

    /// Where runs keep their journals and checkpoints until these are exported.
    [[nodiscard]] QString workspace() const;
    void setWorkspace(const QString& folder);
    /// Where plots and reports were saved last.
    [[nodiscard]] QString saveFolder() const;
    void setSaveFolder(const QString& folder);
    [[nodiscard]] QString exportFolder() const;
    void setExportFolder(const QString& folder);
    /// Where unsaved work is kept against a crash: beside the settings when these have a file of their own.
    [[nodiscard]] QString recoveryFolder() const;

    [[nodiscard]] EvaluationSettings evaluation() const;
    void setEvaluation(const EvaluationSettings& evaluation);

    [[nodiscard]] RunOptions runOptions() const;
    void setRunOptions(const RunOptions& options);
    [[nodiscard]] int autosaveSeconds() const;
    void setAutosaveSeconds(int seconds);
    /// A run that took at least this long is announced when the window is not in front; negative: never.
    [[nodiscard]] int notifySeconds() const;
    void setNotifySeconds(int seconds);
    /// Back to the defaults of all that the settings dialog shows.
    void restoreDefaults();

    /// Empty when the layout was saved by another version of the window.
    [[nodiscard]] QByteArray windowGeometry() const { return layoutValue(QStringLiteral("window/geometry")); }
    [[nodiscard]] QByteArray windowState() const { return layoutValue(QStringLiteral("window/state")); }
    /// Experts that see less than this percentage of their block's mean are outlined.
    [[nodiscard]] int starvedPercent() const;
    void setStarvedPercent(int percent);

    /// RecipePanel::View
    [[nodiscard]] int recipeView() const;
    void setRecipeView(int view);
    [[nodiscard]] int plotTab() const;
    void setPlotTab(int tab);
    void saveWindow(const QByteArray& geometry, const QByteArray& state);

Q_SIGNALS:
    void themeChanged(calibench::Theme theme);
    void recentChanged();
    void preferencesChanged();  ///< anything the settings dialog shows

private:
    void setPreference(const QString& key, const QVariant& value);
    [[nodiscard]] QByteArray layoutValue(const QString& key) const;

    std::unique_ptr<QSettings> m_store;
    std::optional<Theme> m_themeOverride;
    const bool m_ownFile;  ///< the user's own settings, not a file that was named
};

}  // namespace calibench
