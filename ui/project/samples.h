#pragma once

#include <QList>
#include <QString>

namespace calibench {

/// A bundled model that is ready to run.
struct Demo {
    QString folder;  ///< below resources/demo
    QString title;
    QString help;
};

/// Those whose folders are there.
[[nodiscard]] QList<Demo> bundledDemos(const QString& resources);

struct SampleRecipe {
    QString file;
    QString title;  ///< its first comment line, or its name
};

[[nodiscard]] QList<SampleRecipe> sampleRecipes(const QString& resources);

}  // namespace calibench
