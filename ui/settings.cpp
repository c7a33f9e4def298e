#include "ui/settings.h"

#include <QDir>
#include <QFileInfo>
#include <QStandardPaths>

#include <algorithm>

namespace calibench {

namespace {

/// Raise when docks or toolbars are added, renamed or removed: an old layout is then not forced on a new window.
constexpr int LayoutVersion = 1;
constexpr qsizetype MaxRecent = 8;

}  // namespace

Settings::Settings(const QString& file, QObject* parent) : QObject(parent) {
    m_store = file.isEmpty() ? std::make_unique<QSettings>(QStringLiteral("Calibench"), QStringLiteral("calibench"))
                             : std::make_unique<QSettings>(file, QSettings::IniFormat);
}

Theme Settings::theme() const {
    const QString name = m_store->value(QStringLiteral("window/theme")).toString();
    return name == QLatin1String("light") ? Theme::Light : name == QLatin1String("dark") ? Theme::Dark : Theme::System;
}

void Settings::setTheme(Theme theme) {
    const char* name = theme == Theme::Light ? "light" : theme == Theme::Dark ? "dark" : "system";
    m_store->setValue(QStringLiteral("window/theme"), QString::fromLatin1(name));
    Q_EMIT themeChanged(theme);
}

QStringList Settings::recent(const QString& key) const { return m_store->value(key).toStringList(); }

void Settings::addRecent(const QString& key, const QString& path) {
    QStringList paths = recent(key);
    const QString absolute = QFileInfo(path).absoluteFilePath();
    paths.removeAll(absolute);
    paths.prepend(absolute);
    m_store->setValue(key, paths.mid(0, MaxRecent));
    Q_EMIT recentChanged();
}

void Settings::removeRecentModel(const QString& path) {
    QStringList paths = recentModels();
    paths.removeAll(path);
    m_store->setValue(QStringLiteral("recent/models"), paths);
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
    return m_store->value(QStringLiteral("run/workspace"), fallback).toString();
}

QString Settings::exportFolder() const {
    return m_store->value(QStringLiteral("export/folder"), QDir::homePath()).toString();
}

void Settings::setExportFolder(const QString& folder) { m_store->setValue(QStringLiteral("export/folder"), folder); }

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
