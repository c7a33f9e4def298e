#pragma once

#include <QByteArray>
#include <QList>
#include <QString>
#include <QStringList>

#include "ui/settings.h"

namespace calibench {

struct ProjectRecipe {
    QString file;  ///< empty: the recipe is kept in the project itself
    QString text;  ///< with a file: changes that are not yet saved to it; empty when there are none

    bool operator==(const ProjectRecipe&) const = default;
};

struct ProjectLayout {
    QByteArray window;  ///< QMainWindow::saveState; empty: as the user's settings have it
    int tab = 0;

    bool operator==(const ProjectLayout&) const = default;
};

/// What a project file keeps. Paths are absolute here, and relative in the file where they lie below its folder.
struct Project {
    QString model;                  ///< folder; empty: none yet
    QList<DataSettings> datasets;   ///< the first one is in use
    ProjectRecipe recipe;
    QStringList runs;               ///< run directories, the newest last
    ProjectLayout layout;
    QString recovers;               ///< in a recovery file only: the project file that it stands for; empty for an untitled project

    bool operator==(const Project&) const = default;
};

/// The YAML of a project that is to be saved as `file`.
[[nodiscard]] QByteArray writeProject(const Project& project, const QString& file);
/// Reads it back. Throws InputError that names file and line for whatever is no project, or one of a later version.
[[nodiscard]] Project readProject(const QByteArray& yaml, const QString& file);

/// Throws InputError.
[[nodiscard]] Project loadProject(const QString& file);
/// Complete or not at all. Throws RunError when the disk does not play along.
void saveProject(const Project& project, const QString& file);

}  // namespace calibench
