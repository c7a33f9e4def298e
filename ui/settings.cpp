#include "ui/settings.h"

#include <QDir>
#include <QFileInfo>
#include <QStandardPaths>

#include <algorithm>

namespace calibench {

namespace {

/// Raise when docks or toolbars are added, renamed or removed: an old layout is then not forced on a new window.
constexpr int LayoutVersion = 2;
constexpr qsizetype MaxRecent = 8;

QString keyOf(Settings::Recent kind) {
    switch (kind) {
        case Settings::Recent::Projects: return QStringLiteral("recent/projects");
        case Settings::Recent::Models: return QStringLiteral("recent/models");
        case Settings::Recent::Recipes: break;
    }
    return QStringLiteral("recent/recipes");
}

// What the settings dialog shows.
const QString ThemeKey = QStringLiteral("window/theme");
const QString WorkspaceKey = QStringLiteral("run/workspace");
const QString ExportKey = QStringLiteral("export/folder");
const QString SaveKey = QStringLiteral("save/folder");
const QString ThreadsKey = QStringLiteral("run/threads");
const QString DeviceKey = QStringLiteral("run/device");
const QString DtypeKey = QStringLiteral("run/dtype");
const QString AutosaveKey = QStringLiteral("project/autosave_seconds");
const QString NotifyKey = QStringLiteral("run/notify_seconds");
const QStringList PreferenceKeys{ThemeKey, WorkspaceKey, ExportKey, ThreadsKey, DeviceKey, DtypeKey, AutosaveKey, NotifyKey};

}  // namespace

QStringList themeNames() { return {QStringLiteral("system"), QStringLiteral("light"), QStringLiteral("dark")}; }

int threadsFor(const RunOptions& options, int cores) {
    constexpr int Few = 4;  // one of four cores is missed more than the window's few milliseconds are
    if (options.threads > 0) return options.threads;
    return cores > Few ? cores - 1 : std::max(1, cores);
}

Settings::Settings(const QString& file, QObject* parent) : QObject(parent), m_ownFile(file.isEmpty()) {
    m_store = file.isEmpty() ? std::make_unique<QSettings>(QStringLiteral("Calibench"), QStringLiteral("calibench"))
                             : std::make_unique<QSettings>(file, QSettings::IniFormat);
}

Theme Settings::theme() const {
    if (m_themeOverride) return *m_themeOverride;
    return static_cast<Theme>(std::max<qsizetype>(0, themeNames().indexOf(m_store->value(ThemeKey).toString())));
}

void Settings::setTheme(Theme theme) {
    m_themeOverride.reset();
    setPreference(ThemeKey, themeNames()[static_cast<qsizetype>(theme)]);
    Q_EMIT themeChanged(theme);
}

void Settings::overrideTheme(Theme theme) {
    m_themeOverride = theme;
    Q_EMIT themeChanged(theme);
}

QStringList Settings::recent(Recent kind) const { return m_store->value(keyOf(kind)).toStringList(); }

void Settings::addRecent(Recent kind, const QString& path) {
    QStringList paths = recent(kind);
    const QString absolute = QFileInfo(path).absoluteFilePath();
    paths.removeAll(absolute);
    paths.prepend(absolute);
    m_store->setValue(keyOf(kind), paths.mid(0, MaxRecent));
    Q_EMIT recentChanged();
}

void Settings::removeRecent(Recent kind, const QString& path) {
    QStringList paths = recent(kind);
    paths.removeAll(path);
    m_store->setValue(keyOf(kind), paths);
    Q_EMIT recentChanged();
}

DataSettings Settings::data() const {
    const DataSettings defaults;
    const auto number = [this](const char* key, int fallback) {
        bool ok = false;
        const int value = m_store->value(QStringLiteral("data/") + QLatin1String(key)).toInt(&ok);
        return ok ? value : fallback;
    };
    return {.file = m_store->value(QStringLiteral("data/file")).toString(),
            .numSamples = number("num_samples", defaults.numSamples),
            .seqLen = number("seq_len", defaults.seqLen),
            .seed = number("seed", defaults.seed),
            .iters = number("iters", defaults.iters),
            .batchSize = number("batch_size", defaults.batchSize)};
}

void Settings::setData(const DataSettings& data) {
    m_store->setValue(QStringLiteral("data/file"), data.file);
    m_store->setValue(QStringLiteral("data/num_samples"), data.numSamples);
    m_store->setValue(QStringLiteral("data/seq_len"), data.seqLen);
    m_store->setValue(QStringLiteral("data/seed"), data.seed);
    m_store->setValue(QStringLiteral("data/iters"), data.iters);
    m_store->setValue(QStringLiteral("data/batch_size"), data.batchSize);
}

QString Settings::workspace() const {
    const QString fallback = QStandardPaths::writableLocation(QStandardPaths::GenericDataLocation) + QStringLiteral("/calibench/runs");
    return m_store->value(WorkspaceKey, fallback).toString();
}

void Settings::setWorkspace(const QString& folder) { setPreference(WorkspaceKey, folder); }

QString Settings::saveFolder() const {
    const QString folder = m_store->value(SaveKey).toString();
    return QFileInfo(folder).isDir() ? folder : QStandardPaths::writableLocation(QStandardPaths::DocumentsLocation);
}

void Settings::setSaveFolder(const QString& folder) { m_store->setValue(SaveKey, folder); }

QString Settings::exportFolder() const { return m_store->value(ExportKey, QDir::homePath()).toString(); }

void Settings::setExportFolder(const QString& folder) { setPreference(ExportKey, folder); }

QString Settings::recoveryFolder() const {
    const QString base = m_ownFile ? QStandardPaths::writableLocation(QStandardPaths::GenericDataLocation) + QStringLiteral("/calibench")
                                   : QFileInfo(m_store->fileName()).absolutePath();
    return base + QStringLiteral("/recovery");
}

EvaluationSettings Settings::evaluation() const {
    const EvaluationSettings defaults;
    return {.text = m_store->value(QStringLiteral("evaluation/text")).toString(),
            .maxTokens = std::max(0, m_store->value(QStringLiteral("evaluation/max_tokens"), defaults.maxTokens).toInt()),
            .seqLen = std::max(2, m_store->value(QStringLiteral("evaluation/seq_len"), defaults.seqLen).toInt())};
}

void Settings::setEvaluation(const EvaluationSettings& evaluation) {
    m_store->setValue(QStringLiteral("evaluation/text"), evaluation.text);
    m_store->setValue(QStringLiteral("evaluation/max_tokens"), evaluation.maxTokens);
    m_store->setValue(QStringLiteral("evaluation/seq_len"), evaluation.seqLen);
}

RunOptions Settings::runOptions() const {
    const RunOptions defaults;
    return {.threads = std::max(0, m_store->value(ThreadsKey, defaults.threads).toInt()),
            .device = m_store->value(DeviceKey, defaults.device).toString(),
            .dtype = m_store->value(DtypeKey, defaults.dtype).toString()};
}

void Settings::setRunOptions(const RunOptions& options) {
    m_store->setValue(ThreadsKey, options.threads);
    m_store->setValue(DeviceKey, options.device);
    setPreference(DtypeKey, options.dtype);
}

int Settings::autosaveSeconds() const { return std::max(1, m_store->value(AutosaveKey, 5).toInt()); }

void Settings::setAutosaveSeconds(int seconds) { setPreference(AutosaveKey, seconds); }

int Settings::notifySeconds() const { return m_store->value(NotifyKey, 60).toInt(); }

void Settings::setNotifySeconds(int seconds) { setPreference(NotifyKey, seconds); }

void Settings::restoreDefaults() {
    for (const QString& key : PreferenceKeys) m_store->remove(key);
    m_themeOverride.reset();
    Q_EMIT preferencesChanged();
    Q_EMIT themeChanged(theme());
}

void Settings::setPreference(const QString& key, const QVariant& value) {
    m_store->setValue(key, value);
    Q_EMIT preferencesChanged();
}

int Settings::starvedPercent() const { return m_store->value(QStringLiteral("plots/starved_percent"), 10).toInt(); }

void Settings::setStarvedPercent(int percent) { m_store->setValue(QStringLiteral("plots/starved_percent"), percent); }

int Settings::recipeView() const { return m_store->value(QStringLiteral("recipe/view"), 0).toInt(); }

void Settings::setRecipeView(int view) { m_store->setValue(QStringLiteral("recipe/view"), view); }

int Settings::plotTab() const { return m_store->value(QStringLiteral("window/tab"), 0).toInt(); }

void Settings::setPlotTab(int tab) { m_store->setValue(QStringLiteral("window/tab"), tab); }

void Settings::saveWindow(const QByteArray& geometry, const QByteArray& state) {
    m_store->setValue(QStringLiteral("window/version"), LayoutVersion);
    m_store->setValue(QStringLiteral("window/geometry"), geometry);
    m_store->setValue(QStringLiteral("window/state"), state);
}

QByteArray Settings::layoutValue(const QString& key) const {
    if (m_store->value(QStringLiteral("window/version")).toInt() != LayoutVersion) return {};
    return m_store->value(key).toByteArray();
}

}  // namespace calibench
