#include "ui/project/samples.h"

#include <QCoreApplication>
#include <QDir>
#include <QFile>
#include <QFileInfo>

namespace calibench {

QList<Demo> bundledDemos(const QString& resources) {
    const auto tr = [](const char* text) { return QCoreApplication::translate("Samples", text); };
    const Demo all[] = {{QStringLiteral("tiny-llama-shakespeare"), tr("Demo: a small Llama"), tr("Four blocks trained on Shakespeare, with text and recipe")},
                        {QStringLiteral("tiny-qwen3-moe-shakespeare"), tr("Demo: a mixture of experts"), tr("A small Qwen3 with eight experts in each block, with text and recipe")}};
    QList<Demo> found;
    for (const Demo& demo : all)
        if (QFileInfo::exists(QStringLiteral("%1/demo/%2/config.json").arg(resources, demo.folder))) found << demo;
    return found;
}

QList<SampleRecipe> sampleRecipes(const QString& resources) {
    QList<SampleRecipe> recipes;
    const QDir folder(resources + QStringLiteral("/recipes"));
    for (const QFileInfo& info : folder.entryInfoList({QStringLiteral("*.yaml"), QStringLiteral("*.yml")}, QDir::Files, QDir::Name)) {
        QFile file(info.filePath());
        if (!file.open(QIODevice::ReadOnly)) continue;
        const QString line = QString::fromUtf8(file.readLine()).trimmed();
        recipes << SampleRecipe{info.absoluteFilePath(), line.startsWith(QLatin1Char('#')) ? line.mid(1).trimmed() : info.completeBaseName()};
    }
    return recipes;
}

}  // namespace calibench
