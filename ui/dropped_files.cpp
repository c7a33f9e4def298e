#include "ui/dropped_files.h"

#include <QCoreApplication>
#include <QDir>
#include <QFileInfo>

namespace calibench {

namespace {

QString tr(const char* text) { return QCoreApplication::translate("DroppedFiles", text); }

/// The model folder that a dropped path means: itself, or its folder when a part of a model was dropped. Empty: none.
QString modelFolderOf(const QFileInfo& file) {
    const bool partOfModel = file.fileName() == QLatin1String("config.json") || file.suffix() == QLatin1String("safetensors");
    const QDir folder(file.isDir() ? file.filePath() : partOfModel ? file.path() : QString());
    return (file.isDir() || partOfModel) && folder.exists(QStringLiteral("config.json")) ? folder.absolutePath() : QString();
}

}  // namespace

DroppedFiles sortDroppedFiles(const QList<QUrl>& urls) {
    static const QStringList textSuffixes{QStringLiteral("txt"), QStringLiteral("text"), QStringLiteral("md"), QStringLiteral("jsonl"), QStringLiteral("json")};
    static const QStringList recipeSuffixes{QStringLiteral("yaml"), QStringLiteral("yml")};
    DroppedFiles dropped;
    const auto take = [&](QString& place, const QString& path, const QString& what) {
        if (place.isEmpty() || place == path)
            place = path;
        else
            dropped.ignored << tr("%1: one %2 at a time").arg(QFileInfo(path).fileName(), what);
    };
    for (const QUrl& url : urls) {
        if (!url.isLocalFile()) {
            dropped.ignored << tr("%1: not a file on this computer").arg(url.toDisplayString());
            continue;
        }
        const QFileInfo file(url.toLocalFile());
        const QString suffix = file.suffix().toLower();
        if (const QString folder = modelFolderOf(file); !folder.isEmpty())
            take(dropped.model, folder, tr("model"));
        else if (!file.exists())
            dropped.ignored << tr("%1: does not exist").arg(file.filePath());
        else if (file.isDir())
            dropped.ignored << tr("%1: holds no config.json, so it is no model").arg(file.fileName());
        else if (suffix == QLatin1String("calibench"))
            take(dropped.project, file.absoluteFilePath(), tr("project"));
        else if (recipeSuffixes.contains(suffix))
            take(dropped.recipe, file.absoluteFilePath(), tr("recipe"));
        else if (textSuffixes.contains(suffix))
            take(dropped.dataset, file.absoluteFilePath(), tr("dataset"));
        else
            dropped.ignored << tr("%1: neither project, model, text, JSONL nor recipe").arg(file.fileName());
    }
    if (dropped.project.isEmpty()) return dropped;
    for (QString* part : {&dropped.model, &dropped.dataset, &dropped.recipe}) {
        if (!part->isEmpty()) dropped.ignored << tr("%1: the project that was dropped with it has its own").arg(QFileInfo(*part).fileName());
        part->clear();
    }
    return dropped;
}

}  // namespace calibench
