#pragma once

#include <QObject>
#include <QSettings>
#include <QStringList>

#include <memory>

namespace calibench {

enum class Theme { System, Light, Dark };

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

/// What the window remembers, with every default in one place. For the window's thread only.
class Settings : public QObject {
    Q_OBJECT

public:
    /// `file` empty: the user's own settings.
    explicit Settings(const QString& file = {}, QObject* parent = nullptr);

    [[nodiscard]] Theme theme() const;
    void setTheme(Theme theme);

    [[nodiscard]] QStringList recentModels() const { return recent(QStringLiteral("recent/models")); }
    void addRecentModel(const QString& path) { addRecent(QStringLiteral("recent/models"), path); }
    void removeRecentModel(const QString& path);
    [[nodiscard]] QStringList recentRecipes() const { return recent(QStringLiteral("recent/recipes")); }
    void addRecentRecipe(const QString& path) { addRecent(QStringLiteral("recent/recipes"), path); }

    [[nodiscard]] DataSettings data() const;
    void setData(const DataSettings& data);

    /// Where runs keep their journals and checkpoints until these are exported.
    [[nodiscard]] QString workspace() const;
    [[nodiscard]] QString exportFolder() const;
    void setExportFolder(const QString& folder);

    /// Empty when the layout was saved by another version of the window.
    [[nodiscard]] QByteArray windowGeometry() const { return layoutValue(QStringLiteral("window/geometry")); }
    [[nodiscard]] QByteArray windowState() const { return layoutValue(QStringLiteral("window/state")); }
    [[nodiscard]] int plotTab() const;
    void setPlotTab(int tab);
    void saveWindow(const QByteArray& geometry, const QByteArray& state);

Q_SIGNALS:
    void themeChanged(calibench::Theme theme);
    void recentChanged();

private:
    [[nodiscard]] QStringList recent(const QString& key) const;
    void addRecent(const QString& key, const QString& path);
    [[nodiscard]] QByteArray layoutValue(const QString& key) const;

    std::unique_ptr<QSettings> m_store;
};

}  // namespace calibench
