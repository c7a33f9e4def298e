#include "app/gui/resource_folder.h"

#include <QCoreApplication>
#include <QDir>

namespace calibench {

QString resourceFolder() {
    if (const QString chosen = qEnvironmentVariable("CALIBENCH_RESOURCES"); !chosen.isEmpty()) return chosen;
    const QDir installed(QCoreApplication::applicationDirPath() + QStringLiteral("/../share/calibench"));
    return installed.exists(QStringLiteral("recipes")) ? installed.absolutePath() : QStringLiteral(CALIBENCH_SOURCE_RESOURCES);
}

}  // namespace calibench
